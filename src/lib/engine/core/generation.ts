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
  /** Lower runs sooner; only with the `priority` policy. */
  readonly priority: number
  /** Isolates the prefix cache; null shares it with everybody. */
  readonly cacheSalt: string | null
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
