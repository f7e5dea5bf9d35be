/** One sequence to generate; `n` and several prompts are several of these. */
export interface GenerationRequest {
  /** Unique among unfinished requests. */
  readonly id: string
  readonly promptTokens: readonly number[]
  readonly maxTokens: number
  /** EOS and stop tokens are not sampled before this many tokens. */
  readonly minTokens: number
  readonly ignoreEos: boolean
  readonly stopTokenIds: readonly number[]
  /** Another seed says something else to the same prompt, the same one the same; null is greedy. */
  readonly seed: number | null
  /** Begins the guide of an answer that must have a form; null lets the model say what it likes. */
  readonly startGuide: (() => TokenGuide) | null
  /** Lower runs sooner; only with the `priority` policy. */
  readonly priority: number
  /** Isolates the prefix cache; null shares it with everybody. */
  readonly cacheSalt: string | null
}

/** Says what comes next in an answer that must have a form. Asked once per token, in order. */
export interface TokenGuide {
  /**
   * @param digest 32 bits read out of the KV cache, which decide between what may come
   * @returns a token; `end` when the answer is complete, again and again; `free` where the model may say anything
   */
  next(digest: number): number | 'end' | 'free'
}

export type FinishReason = 'stop' | 'length' | 'abort' | 'error'

export interface GenerationEnd {
  readonly reason: FinishReason
  /** The stop token that ended it; null on EOS, length and abort. */
  readonly stopTokenId: number | null
  /** Prompt tokens found in the prefix cache at first admission. */
  readonly cachedTokens: number
  /** For `error` only: one sentence. */
  readonly message: string | null
}

/** Per-request intervals in seconds as vLLM defines them (vllm-project/vllm:vllm/v1/metrics/stats.py). */
export interface FinishedRequest {
  readonly reason: FinishReason
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly generatedTokens: number
  readonly maxTokens: number
  readonly preemptions: number
  readonly queueSeconds: number | null
  readonly prefillSeconds: number | null
  readonly decodeSeconds: number | null
  readonly inferenceSeconds: number | null
  readonly e2eSeconds: number
}
