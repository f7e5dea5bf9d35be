/** Which blocks hold which content. Several may hold the same: the one published first answers. */
export class PrefixMap {
  readonly #blocks = new Map<string, number | number[]>()
  readonly #hashes: (string | null)[]

  constructor(numBlocks: number) {
    this.#hashes = new Array<string | null>(numBlocks).fill(null)
  }

  hashOf(id: number): string | null {
    return this.#hashes[id] ?? null
  }

  find(hash: string): number | null {
    const found = this.#blocks.get(hash)
    return found === undefined ? null : typeof found === 'number' ? found : found[0]!
  }

  publish(id: number, hash: string): void {
    this.#hashes[id] = hash
    const present = this.#blocks.get(hash)
    if (present === undefined) this.#blocks.set(hash, id)
    else this.#blocks.set(hash, typeof present === 'number' ? [present, id] : [...present, id])
  }

  /** Forgets a block's content. @returns false when it had none */
  forget(id: number): boolean {
    const hash = this.hashOf(id)
    if (hash === null) return false
    this.#hashes[id] = null
    const present = this.#blocks.get(hash)
    const rest = typeof present === 'object' ? present.filter(other => other !== id) : []
    if (rest.length === 0) this.#blocks.delete(hash)
    else this.#blocks.set(hash, rest.length === 1 ? rest[0]! : rest)
    return true
  }

  /** The content of `from` now lies in `to`. */
  move(from: number, to: number): void {
    const hash = this.hashOf(from)
    if (hash === null) return
    this.#hashes[from] = null
    this.#hashes[to] = hash
    const present = this.#blocks.get(hash)
    if (typeof present === 'object')
      this.#blocks.set(
        hash,
        present.map(id => (id === from ? to : id)),
      )
    else this.#blocks.set(hash, to)
  }

  clear(): void {
    this.#blocks.clear()
    this.#hashes.fill(null)
  }
}
