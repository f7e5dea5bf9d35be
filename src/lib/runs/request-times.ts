import type {RequestRecord} from './request-record.js'

type Instants = Pick<
  RequestRecord,
  | 'sentAtMs'
  | 'firstByteAtMs'
  | 'firstTokenAtMs'
  | 'lastTokenAtMs'
  | 'doneAtMs'
  | 'connectMs'
  | 'promptTokens'
  | 'completionTokens'
>

/**
 * What formulas need of one request: a `RequestRecord`, or a row read back from `requests.csv`. Instants are milliseconds on
 * one clock of the run.
 */
export interface RequestTimes extends Instants {
  /** Null in files of tools that keep no schedule. */
  readonly scheduledAtMs: number | null
  /** Null in files of tools that count no chunks. */
  readonly chunkCount: number | null
}
