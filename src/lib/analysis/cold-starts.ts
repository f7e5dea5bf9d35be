import type {RequestTable} from '../runs/index.js'

/** A time in which the server could not begin an answer, as its own metrics or its cluster show it. Milliseconds of run time. */
export interface ColdSpan {
  readonly fromMs: number
  readonly toMs: number
  /** Its counters began anew; it slept and woke; or no pod of it was ready and one was starting. */
  readonly kind: 'restart' | 'wake' | 'pod'
}

interface EngineMoment {
  readonly atMs: number
  /** Counters that only grow while one process lives. */
  readonly totals: readonly (number | null)[]
  readonly isAsleep: boolean | null
}

/** Finds cold spans in the looks at a server, in order. */
export class ColdSpanFinder {
  #last: EngineMoment | null = null
  #asleepSinceMs: number | null = null
  readonly spans: ColdSpan[] = []

  add(moment: EngineMoment): void {
    const {atMs, totals, isAsleep} = moment
    const before = this.#last
    this.#last = moment
    if (before !== null) {
      const hasFallen = totals.some((total, at) => total !== null && total < (before.totals[at] ?? total))
      if (hasFallen) this.spans.push({fromMs: before.atMs, toMs: atMs, kind: 'restart'})
    }
    if (isAsleep === true) this.#asleepSinceMs ??= atMs
    else if (isAsleep === false && this.#asleepSinceMs !== null) {
      this.spans.push({fromMs: this.#asleepSinceMs, toMs: atMs, kind: 'wake'})
      this.#asleepSinceMs = null
    }
  }
}

/**
 * Marks the requests that met a cold start: those that were on their way, without a token, while one lasted.
 *
 * @returns the table, which now tells cold requests from warm ones
 */
export function markCold(table: RequestTable, spans: readonly ColdSpan[]): RequestTable {
  for (let row = 0; row < table.count; row++) {
    const sentMs = table.sentAtUs[row]! / 1000
    const tokenUs = table.firstTokenAtUs[row]!
    const untilMs = (Number.isNaN(tokenUs) ? table.doneAtUs[row]! : tokenUs) / 1000
    // A request that never ended waited for ever.
    const isWaiting = ({fromMs, toMs}: ColdSpan): boolean =>
      sentMs < toMs && (Number.isNaN(untilMs) || untilMs > fromMs)
    if (spans.some(isWaiting)) table.isCold[row] = 1
  }
  return {...table, hasColdStarts: true}
}
