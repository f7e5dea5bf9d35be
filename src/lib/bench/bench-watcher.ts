import type {RequestRecord, TimeSample} from '../runs/index.js'
import type {LoadCounts} from './load-loop.js'

/** Who watches a run. */
export interface BenchWatcher {
  /** Something the user should know, once. */
  note(line: string): void
  progress(counts: LoadCounts): void
  /** The servers answer; requests follow. */
  starting?(target: {readonly model: string; readonly urls: readonly string[]}): void
  /** How servers, segments and GPUs stood at one moment. */
  looked?(sample: TimeSample): void
  /** Requests that ended, warm-up included. */
  answered?(records: readonly RequestRecord[]): void
}
