import {percentilesTooFewFor, perPercentile, type Summary} from './summary.js'

const PAGE_SIZE = 4096
const NEAR_PAGES = 1024

/**
 * Counts of whole microseconds, so that tens of millions of gaps are summarised exactly without being kept or sorted:
 * memory grows with the spread of the values, 32 KiB for every 4 ms that occur.
 */
export class ExactHistogram {
  readonly #pages = new Map<number, Float64Array>()
  /** The pages up to 4 s again, since a map is slow in the loop over all gaps. */
  readonly #nearPages: (Float64Array | undefined)[] = new Array<undefined>(NEAR_PAGES).fill(undefined)
  #count = 0
  #sum = 0

  get count(): number {
    return this.#count
  }

  /** @param us whole microseconds, 0 … 2^32−1 */
  add(us: number, times = 1): void {
    const pageNumber = Math.floor(us / PAGE_SIZE)
    const page = this.#nearPages[pageNumber] ?? this.#pageOf(pageNumber)
    page[us % PAGE_SIZE]! += times
    this.#count += times
    this.#sum += us * times
  }

  /** Adds all counts of another histogram, or takes them away with −1. */
  addAll(other: ExactHistogram, times: 1 | -1 = 1): void {
    for (const [us, count] of other.#ascending()) this.add(us, count * times)
  }

  /** The k-th smallest value for each of the ascending ranks `k`, from 0. */
  valuesAt(ranks: readonly number[]): number[] {
    const values: number[] = []
    let seen = 0
    for (const [us, times] of this.#ascending()) {
      seen += times
      while (values.length < ranks.length && ranks[values.length]! < seen) values.push(us)
      if (values.length === ranks.length) break
    }
    return values
  }

  /** Percentile, type 7, in µs; null when empty. */
  percentile(q: number): number | null {
    if (this.#count === 0) return null
    const position = q * (this.#count - 1)
    const below = Math.floor(position)
    const [low, high] = this.valuesAt([below, Math.min(below + 1, this.#count - 1)])
    return low! + (high! - low!) * (position - below)
  }

  /**
   * The summary in milliseconds. Gaps of one request depend on each other, so there are no intervals.
   *
   * @param meanMs where the mean is not that of the counted values
   */
  summaryMs(meanMs?: number | null): Summary {
    const n = this.#count
    const mean = n === 0 ? null : this.#sum / n
    let squares = 0
    let [min, max]: [number | null, number | null] = [null, null]
    for (const [us, times] of this.#ascending()) {
      min ??= us
      max = us
      squares += times * (us - mean!) ** 2
    }
    const ms = (us: number | null): number | null => (us === null ? null : us / 1000)
    return {
      count: n,
      effectiveCount: null,
      mean: meanMs === undefined ? ms(mean) : meanMs,
      std: n < 2 ? null : Math.sqrt(squares / (n - 1)) / 1000,
      min: ms(min),
      max: ms(max),
      percentiles: perPercentile(q => ms(this.percentile(q))),
      intervals: null,
      tooFewFor: percentilesTooFewFor(n),
    }
  }

  *#ascending(): Generator<[us: number, times: number]> {
    for (const pageNumber of [...this.#pages.keys()].sort((left, right) => left - right)) {
      const page = this.#pages.get(pageNumber)!
      for (let index = 0; index < PAGE_SIZE; index++) {
        if (page[index]! > 0) yield [pageNumber * PAGE_SIZE + index, page[index]!]
      }
    }
  }

  #pageOf(pageNumber: number): Float64Array {
    let page = this.#pages.get(pageNumber)
    if (!page) {
      this.#pages.set(pageNumber, (page = new Float64Array(PAGE_SIZE)))
      if (pageNumber < NEAR_PAGES) this.#nearPages[pageNumber] = page
    }
    return page
  }
}
