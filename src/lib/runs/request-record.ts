/** How one request ended; `ok` or one name of the single failure vocabulary that files, metrics and reports share. */
export const FAILURES = [
  'connect',
  'tls',
  'timeout_connect',
  'timeout_first_token',
  'timeout_idle',
  'timeout_total',
  'reset',
  'truncated',
  'stream_error',
  'empty',
  'invalid_response',
  'http_429',
  'http_4xx',
  'http_5xx',
  /** The client hung up because it was asked to. */
  'cancelled',
  /** The run was stopped. */
  'aborted',
  'not_sent',
] as const
export type Failure = (typeof FAILURES)[number]
export type Outcome = 'ok' | Failure

/** A request on which the client hung up as it was asked to is neither a success nor a failure. */
export function isFailure(outcome: string): boolean {
  return outcome !== 'ok' && outcome !== 'cancelled'
}

export type Phase = 'warmup' | 'measure'
/**
 * Who counted the tokens of an answer, most trusted first: the server, the token ids that it sent, a tokenizer of ours, or
 * nobody, so that its chunks were counted.
 */
export const TOKENS_SOURCES = ['usage', 'token_ids', 'tokenizer', 'chunks', 'none'] as const
export type TokensSource = (typeof TOKENS_SOURCES)[number]

/** Of counts that are taken together; none of nothing. */
export function leastTrusted(sources: Iterable<TokensSource>): TokensSource {
  const all = new Set(sources)
  return TOKENS_SOURCES.findLast(source => all.has(source)) ?? 'none'
}

/**
 * What the load generator knows of one request. Every `…AtMs` is milliseconds on the run's monotonic clock since the run's
 * origin (`meta.json` stores the wall-clock time of that origin once); `null` is an instant that never came.
 *
 * Instants are those of the request's life: scheduled, sent (first byte handed to an open socket), head (status known),
 * first body byte, role chunk, first and last token-bearing chunk, done (`[DONE]` or end of body).
 */
export interface RequestRecord {
  /** 1-based, in order of the schedule. */
  readonly id: number
  /** The `x-request-id` that was sent: `<run id>-<id>`. */
  readonly requestId: string
  readonly traceId: string
  readonly phase: Phase
  /** Id of the first request of its conversation; its own where it stands alone. */
  readonly session: number
  /** Its place in the conversation, from 0. */
  readonly turn: number
  /** On whose behalf it was sent, where the workload says so. */
  readonly tenant?: string | null
  /** Place of the server it was sent to in the list of URLs. */
  readonly server: number
  readonly outcome: Outcome
  /** HTTP status; 0 when no response head arrived. */
  readonly status: number
  /** One line for people; empty for `ok`. */
  readonly error: string
  readonly scheduledAtMs: number
  readonly sentAtMs: number | null
  readonly headAtMs: number | null
  readonly firstByteAtMs: number | null
  readonly roleAtMs: number | null
  readonly firstTokenAtMs: number | null
  /** First token of the answer itself, text or tool call; before it came the model's reasoning. */
  readonly answerAtMs: number | null
  readonly lastTokenAtMs: number | null
  readonly doneAtMs: number | null
  /** Duration of DNS, TCP and TLS, only when this request had to open its connection. */
  readonly connectMs: number | null
  /** Gaps between token-bearing chunks, µs, in order; length is `chunkCount − 1`. */
  readonly gapsUs: Uint32Array
  /** Token-bearing chunks. */
  readonly chunkCount: number
  /** Tokens in each of them, where the server says so; their sum is `completionTokens`. */
  readonly chunkTokens: Uint32Array | null
  /** The first of them. */
  readonly firstChunkTokens: number | null
  readonly promptTokens: number | null
  readonly completionTokens: number | null
  readonly cachedTokens: number | null
  /** Part of `completionTokens`. */
  readonly reasoningTokens: number | null
  readonly tokensSource: TokensSource
  readonly finishReason: string | null
  /** How long a refused client is to wait, as the server says. */
  readonly retryAfterMs: number | null
  /** Body bytes received. */
  readonly bodyBytes: number
}
