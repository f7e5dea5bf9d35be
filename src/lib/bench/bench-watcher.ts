import type {RequestRecord, RunDirectory, TimeSample} from '../runs/index.js'
import type {LoadCounts} from './load-loop.js'

/** Who watches a run. */
export interface BenchWatcher {
  /** Something the user should know, once. */
  note(line: string): void
  progress(counts: LoadCounts): void
  /** The servers answer and the run has its directory; requests follow. */
  starting?(target: {
    readonly model: string
    readonly urls: readonly string[]
    readonly run: RunDirectory
  }): void
  /** How servers, segments and GPUs stood at one moment. */
  looked?(sample: TimeSample): void
  /** Requests that ended, warm-up included. */
  answered?(records: readonly RequestRecord[]): void
}
