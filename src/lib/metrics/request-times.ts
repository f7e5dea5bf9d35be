/**
 * What formulas need to know of one request; the load generator's record and a row of `requests.csv` both have it. Instants
 * are milliseconds on one monotonic clock of the run, null when they never came.
 */
export interface RequestTimes {
  /** Null in files of tools that keep no schedule. */
  readonly scheduledAtMs: number | null
  /** Just before the first byte of the request was handed to an open socket. */
  readonly sentAtMs: number | null
  /** First byte of the body. */
  readonly firstByteAtMs: number | null
  /** First and last token-bearing chunk. */
  readonly firstTokenAtMs: number | null
  readonly lastTokenAtMs: number | null
  /** First token that is no reasoning; null in files that do not know it. */
  readonly answerAtMs: number | null
  /** End of stream or body. */
  readonly doneAtMs: number | null
  /** Duration of connection set-up, where this request had to open one. */
  readonly connectMs: number | null
  /** Token-bearing chunks; null in files of tools that count none. */
  readonly chunkCount: number | null
  readonly completionTokens: number | null
  /** Tokens in the first of them; null where the server does not say it. */
  readonly firstChunkTokens: number | null
}
