/** Block ids in the order in which they will be reused: a doubly linked list in two arrays, every operation O(1). */
export class FreeQueue {
  readonly #next: Int32Array
  readonly #previous: Int32Array
  /** The sentinel's index: both before the first and after the last. */
  readonly #end: number
  #length = 0

  /** @param numBlocks ids are below this */
  constructor(numBlocks: number) {
    this.#next = new Int32Array(numBlocks + 1).fill(ABSENT)
    this.#previous = new Int32Array(numBlocks + 1).fill(ABSENT)
    this.#end = numBlocks
    this.#next[numBlocks] = numBlocks
    this.#previous[numBlocks] = numBlocks
  }

  get length(): number {
    return this.#length
  }

  has(id: number): boolean {
    return this.#next[id] !== ABSENT
  }

  append(id: number): void {
    this.#insertBefore(this.#end, id)
  }

  /** @returns the front, or null when empty */
  shift(): number | null {
    const id = this.#next[this.#end]!
    if (id === this.#end) return null
    this.remove(id)
    return id
  }

  remove(id: number): void {
    const [before, after] = [this.#previous[id]!, this.#next[id]!]
    this.#next[before] = after
    this.#previous[after] = before
    this.#next[id] = ABSENT
    this.#previous[id] = ABSENT
    this.#length--
  }

  /** Puts `to` where `from` stands. */
  replace(from: number, to: number): void {
    const after = this.#next[from]!
    this.remove(from)
    this.#insertBefore(after, to)
  }

  /** Front first. */
  *[Symbol.iterator](): Generator<number> {
    for (let id = this.#next[this.#end]!; id !== this.#end; id = this.#next[id]!) yield id
  }

  #insertBefore(after: number, id: number): void {
    const before = this.#previous[after]!
    this.#next[before] = id
    this.#previous[id] = before
    this.#next[id] = after
    this.#previous[after] = id
    this.#length++
  }
}

const ABSENT = -1
