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
  'aborted',
  'not_sent',
] as const
export type Failure = (typeof FAILURES)[number]
export type Outcome = 'ok' | Failure

export type Phase = 'warmup' | 'measure'
export type TokensSource = 'usage' | 'chunks' | 'none'

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
  readonly lastTokenAtMs: number | null
  readonly doneAtMs: number | null
  /** Duration of DNS, TCP and TLS, only when this request had to open its connection. */
  readonly connectMs: number | null
  /** Gaps between token-bearing chunks, µs, in order; length is `chunkCount − 1`. */
  readonly gapsUs: Uint32Array
  /** Token-bearing chunks. */
  readonly chunkCount: number
  readonly promptTokens: number | null
  readonly completionTokens: number | null
  readonly cachedTokens: number | null
  readonly tokensSource: TokensSource
  readonly finishReason: string | null
  /** Body bytes received. */
  readonly bodyBytes: number
}
