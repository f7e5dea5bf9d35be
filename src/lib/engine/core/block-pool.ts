import {strict as assert} from 'node:assert'
import {FreeQueue} from './free-queue.js'
import {PrefixMap} from './prefix-map.js'
import type {BlockSource} from './ports.js'

/** Blocks by what they are doing; they add up to the start-up count without the null block. */
export interface BlockCounts {
  readonly total: number
  /** Referenced by a sequence. */
  readonly used: number
  /** Unreferenced, content kept for reuse. */
  readonly cachedFree: number
  /** Without content, whether or not a page stands behind them. */
  readonly empty: number
}

/**
 * Who references which block, what may be reused, and in which order: front of the queue first, so least recently freed and,
 * within one sequence, its tail before its head.
 *
 * An elastic source is asked before anything cached is evicted, and gets blocks without content back at once, so that its
 * pages can close.
 *
 * @see vllm-project/vllm:vllm/v1/core/block_pool.py — the same rules on a plain source
 */
export class BlockPool {
  readonly #source: BlockSource
  readonly #maxCachedFree: number
  readonly #references: Int32Array
  readonly #queue: FreeQueue
  readonly #prefixes: PrefixMap
  #taken = 0
  #evictions = 0

  /** @param maxCachedFree most unreferenced blocks whose content is kept; only with an elastic source */
  constructor(source: BlockSource, maxCachedFree: number | null = null) {
    this.#source = source
    this.#maxCachedFree = maxCachedFree ?? Infinity
    this.#references = new Int32Array(source.idLimit)
    this.#queue = new FreeQueue(source.idLimit)
    this.#prefixes = new PrefixMap(source.idLimit)
    if (source.isElastic) return
    for (const id of this.#take(source.available())) this.#queue.append(id)
  }

  /** Blocks that {@link allocate} could give now. */
  get freeBlocks(): number {
    return this.#queue.length + this.#source.available()
  }

  get usedBlocks(): number {
    return this.#taken - this.#queue.length
  }

  /** Most blocks that sequences could use together under the limit in force. */
  get capacity(): number {
    return this.#source.capacity()
  }

  /** 0–1 over the start-up count; content kept without a reference counts as free. */
  get usage(): number {
    return this.usedBlocks / (this.#source.numBlocks - 1)
  }

  get evictions(): number {
    return this.#evictions
  }

  get counts(): BlockCounts {
    let cachedFree = 0
    for (const id of this.#queue) if (this.#prefixes.hashOf(id) !== null) cachedFree++
    const total = this.#source.numBlocks - 1
    return {total, used: this.usedBlocks, cachedFree, empty: total - this.usedBlocks - cachedFree}
  }

  /** Unreferenced blocks that the pool holds, front first. */
  freeOrder(): number[] {
    return [...this.#queue]
  }

  referencesOf(id: number): number {
    return this.#references[id] ?? 0
  }

  /** The blocks of the longest cached prefix. */
  findPrefix(hashes: readonly string[], maxBlocks: number): number[] {
    const found: number[] = []
    for (let index = 0; index < Math.min(hashes.length, maxBlocks); index++) {
      const id = this.#prefixes.find(hashes[index]!)
      if (id === null) break
      found.push(id)
    }
    return found
  }

  countUnreferenced(ids: readonly number[]): number {
    return ids.reduce((sum, id) => sum + (this.#references[id] === 0 ? 1 : 0), 0)
  }

  /** One more reference to each, taking those without one out of the queue. */
  touch(ids: readonly number[]): void {
    for (const id of ids) {
      if (this.#references[id] === 0) this.#queue.remove(id)
      this.#references[id]!++
    }
  }

  /**
   * Blocks without content, referenced once.
   *
   * @returns null when the source gave fewer than it promised (its machine ran out of memory); then nothing has changed
   */
  allocate(count: number): number[] | null {
    const ids = this.#source.isElastic ? this.#take(Math.min(count, this.#source.available())) : []
    while (ids.length < count) {
      const id = this.#queue.shift()
      if (id === null) break
      if (this.#prefixes.forget(id)) this.#evictions++
      ids.push(id)
    }
    if (ids.length < count) {
      this.#giveBack(ids)
      return null
    }
    for (const id of ids) this.#references[id] = 1
    return ids
  }

  publish(id: number, hash: string): void {
    if (this.#prefixes.hashOf(id) === null) this.#prefixes.publish(id, hash)
  }

  /** One reference less to each, in this order. */
  release(ids: readonly number[]): void {
    const empty: number[] = []
    for (const id of ids) {
      assert(this.#references[id]! > 0, `block ${id} is released but not referenced`)
      if (--this.#references[id]! > 0) continue
      if (this.#source.isElastic && this.#prefixes.hashOf(id) === null) empty.push(id)
      else this.#queue.append(id)
    }
    this.#giveBack(empty)
    if (this.#source.isElastic && this.#queue.length > this.#maxCachedFree) {
      this.evict(this.#queue.length - this.#maxCachedFree)
    }
  }

  /** Gives up to `count` unreferenced blocks back to an elastic source, front first. @returns how many */
  evict(count: number): number {
    const ids: number[] = []
    while (ids.length < count) {
      const id = this.#queue.shift()
      if (id === null) break
      if (this.#prefixes.forget(id)) this.#evictions++
      ids.push(id)
    }
    this.#giveBack(ids)
    return ids.length
  }

  /** Forgets all content. @returns false, changing nothing, when a block is referenced */
  resetPrefixes(): boolean {
    if (this.usedBlocks > 0) return false
    this.#prefixes.clear()
    if (this.#source.isElastic) this.evict(Infinity)
    return true
  }

  /** What was in `from` is in `to` now; `to` is already taken from the source and `from` is the caller's to give back. */
  relocate(from: number, to: number): void {
    this.#references[to] = this.#references[from]!
    this.#references[from] = 0
    this.#prefixes.move(from, to)
    if (this.#queue.has(from)) this.#queue.replace(from, to)
  }

  #take(count: number): number[] {
    const ids = this.#source.take(count)
    this.#taken += ids.length
    return ids
  }

  #giveBack(ids: number[]): void {
    if (ids.length === 0) return
    if (this.#source.isElastic) {
      this.#taken -= ids.length
      this.#source.give(ids)
      return
    }
    for (const id of ids) this.#queue.append(id)
  }
}
