/** The finest windows that anybody asks about are seconds to minutes long; older moments may be whole seconds. */
const FINE_MS = 120_000
export const LONGEST_WINDOW_MS = 24 * 3_600_000
const COARSE_MS = 1000
const TIDY_ABOVE = 4096

/**
 * How many requests began since any moment of the last day: every one counts, however many come. To the millisecond within
 * two minutes, to the second before; at most 120,000 + 86,400 numbers, whatever the load.
 */
export class Arrivals {
  /** When something began, ascending, whole milliseconds. */
  #atMs: number[] = []
  /** How many had begun by then, that moment included. */
  #total: number[] = []
  /** Of everything that was forgotten. */
  #before = 0
  #tidyAt = TIDY_ABOVE

  get total(): number {
    return this.#total.at(-1) ?? this.#before
  }

  /** @param nowMs never earlier than the call before */
  add(nowMs: number): void {
    const atMs = Math.floor(nowMs)
    const last = this.#atMs.length - 1
    if (this.#atMs[last] === atMs) {
      this.#total[last]!++
      return
    }
    const total = this.total + 1
    this.#atMs.push(atMs)
    this.#total.push(total)
    if (this.#atMs.length >= this.#tidyAt) this.#tidy(atMs)
  }

  /** @param fromMs inclusive */
  countSince(fromMs: number): number {
    let [low, high] = [0, this.#atMs.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#atMs[middle]! < fromMs) low = middle + 1
      else high = middle
    }
    return this.total - (low === 0 ? this.#before : this.#total[low - 1]!)
  }

  #tidy(nowMs: number): void {
    const atMs: number[] = []
    const total: number[] = []
    for (const [index, at] of this.#atMs.entries()) {
      if (at < nowMs - LONGEST_WINDOW_MS) {
        this.#before = this.#total[index]!
        continue
      }
      const last = atMs.at(-1)
      const isOfSameSecond =
        at < nowMs - FINE_MS &&
        last !== undefined &&
        Math.floor(last / COARSE_MS) === Math.floor(at / COARSE_MS)
      if (isOfSameSecond) {
        atMs[atMs.length - 1] = at
        total[total.length - 1] = this.#total[index]!
        continue
      }
      atMs.push(at)
      total.push(this.#total[index]!)
    }
    this.#atMs = atMs
    this.#total = total
    this.#tidyAt = Math.max(TIDY_ABOVE, 2 * atMs.length)
  }
}
