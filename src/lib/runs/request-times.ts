import type {RequestRecord} from './request-record.js'

/**
 * What formulas need of one request: a `RequestRecord`, or a row read back from `requests.csv`. Instants are milliseconds on
 * one clock of the run.
 */
export interface RequestTimes extends Pick<
  RequestRecord,
  | 'sentAtMs'
  | 'firstByteAtMs'
  | 'firstTokenAtMs'
  | 'lastTokenAtMs'
  | 'doneAtMs'
  | 'connectMs'
  | 'chunkCount'
  | 'promptTokens'
  | 'completionTokens'
> {
  /** Null in files of tools that keep no schedule. */
  readonly scheduledAtMs: number | null
}
