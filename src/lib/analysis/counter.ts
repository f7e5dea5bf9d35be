/** A total that only grows; a server that started again counts from 0 on. */
export class Counter {
  #last: number | null = null
  #firstAtMs = 0
  #lastAtMs = 0
  #increase = 0
  #looks = 0

  /** @returns by how much it grew since the last look; null at the first, or when it was not seen */
  add(total: number | null | undefined, atMs: number): number | null {
    if (total == null) return null
    const grown = this.#last === null ? null : total >= this.#last ? total - this.#last : total
    if (grown === null) this.#firstAtMs = atMs
    else this.#increase += grown
    this.#last = total
    this.#lastAtMs = atMs
    this.#looks++
    return grown
  }

  get increase(): number | null {
    return this.#looks < 2 ? null : this.#increase
  }

  get perSecond(): number | null {
    const ms = this.#lastAtMs - this.#firstAtMs
    return this.#looks < 2 || ms <= 0 ? null : this.#increase / (ms / 1000)
  }
}
