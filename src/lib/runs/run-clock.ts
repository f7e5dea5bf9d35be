import type {RunPart} from './meta.js'

/** Wall-clock time in which a run ran, Unix milliseconds. */
export interface WallSpan {
  readonly fromMs: number
  readonly toMs: number
  /** Run time at its start. */
  readonly runMs: number
}

/**
 * Translates between wall-clock time, as `requests.csv` has it, and run time: monotonic time since the run's origin, without
 * the time between the parts of a resumed run. Rows are told apart by their place in the file, because the wall clock may
 * have been set back between two parts.
 */
export class RunClock {
  readonly originEpochMs: number
  readonly #parts: readonly RunPart[]
  #row = 0
  #part = 0

  /** @param parts those of `meta.json`; with none, all is one part that began at `originEpochMs` */
  constructor(originEpochMs: number, parts: readonly RunPart[]) {
    this.originEpochMs = originEpochMs
    this.#parts = parts
  }

  /** What to take off the wall-clock instants of the next row, microseconds. Call once a row, in file order. */
  nextRowOriginUs(): number {
    const row = this.#row++
    while (this.#part + 1 < this.#parts.length && this.#parts[this.#part + 1]!.rows_before <= row)
      this.#part++
    return Math.round(this.#originOf(this.#part) * 1000)
  }

  /** @param runMs milliseconds of run time */
  epochMs(runMs: number): number {
    let part = this.#parts.length - 1
    while (part > 0 && this.#parts[part]!.run_ms > runMs) part--
    return this.#originOf(part) + runMs
  }

  /** What a stretch of run time is on the wall clock, part by part: nothing ran between them. @param fromMs run time @param toMs run time */
  wallSpans(fromMs: number, toMs: number): WallSpan[] {
    const starts = this.#parts.length === 0 ? [-Infinity] : this.#parts.map(part => part.run_ms)
    return starts.flatMap((start, part) => {
      const from = Math.max(fromMs, part === 0 ? -Infinity : start)
      const to = Math.min(toMs, starts[part + 1] ?? Infinity)
      const origin = this.#originOf(part)
      return to > from ? [{fromMs: origin + from, toMs: origin + to, runMs: from}] : []
    })
  }

  /** The wall-clock time at which run time 0 would have been, had the part's clock run on since. */
  #originOf(part: number): number {
    const found = this.#parts[part]
    return found === undefined ? this.originEpochMs : found.origin_epoch_ms - found.run_ms
  }
}
