/** Token counts as a server reports them; SGLang and vLLM agree on these names. */
export interface Usage {
  readonly prompt_tokens: number
  readonly total_tokens: number
  readonly completion_tokens: number
  readonly prompt_tokens_details?: {readonly cached_tokens: number} | null
  readonly completion_tokens_details?: {readonly reasoning_tokens?: number | null} | null
}

/** A piece of a streamed chat message. Every field may be missing or null, depending on the server. */
export interface Delta {
  readonly role?: string | null
  readonly content?: string | null
  readonly reasoning?: string | null
  readonly reasoning_content?: string | null
  readonly refusal?: string | null
  readonly tool_calls?:
    | readonly {
        readonly index?: number
        readonly function?: {readonly name?: string | null; readonly arguments?: string | null} | null
      }[]
    | null
}

/** One streamed event of `/v1/chat/completions` (`delta`) or `/v1/completions` (`text`), as loosely as servers write it. */
export interface StreamChunk {
  readonly id?: string
  readonly choices?:
    | readonly {
        readonly index?: number
        readonly delta?: Delta | null
        readonly text?: string | null
        readonly finish_reason?: string | null
        /** vLLM's, with `return_token_ids`. */
        readonly token_ids?: readonly number[] | null
        readonly logprobs?: {readonly content?: readonly unknown[] | null} | null
      }[]
    | null
  readonly usage?: Partial<Usage> | null
  readonly error?: unknown
}

/** The last event of a stream. */
export const STREAM_END = '[DONE]'
