import {createEvictionPolicy} from './core/eviction/create-eviction-policy.js'
import type {EvictionPolicy, EvictionPolicyName} from './core/eviction/eviction-policy.js'
import type {ChunkKey, Cleared} from './storage-backend.js'

/** A chunk that a tier holds. */
export interface Resident {
  readonly key: ChunkKey
  /** Physical. */
  readonly bytes: number
  /** While above 0 it must not go. */
  pins: number
}

/** What a tier holds: its chunks, their bytes and pins, and the order in which they go. */
export class Residents<T extends Resident> {
  readonly #entries = new Map<string, T>()
  readonly #policy: EvictionPolicy
  #bytes = 0

  constructor(policy: EvictionPolicyName) {
    this.#policy = createEvictionPolicy(policy)
  }

  get count(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get pinnedCount(): number {
    let count = 0
    for (const {pins} of this.#entries.values()) if (pins > 0) count++
    return count
  }

  has({text}: ChunkKey): boolean {
    return this.#entries.has(text)
  }

  get({text}: ChunkKey): T | undefined {
    return this.#entries.get(text)
  }

  /** Those of `keys` that are here. */
  among(keys: readonly ChunkKey[]): T[] {
    return keys.flatMap(({text}) => this.#entries.get(text) ?? [])
  }

  all(): T[] {
    return [...this.#entries.values()]
  }

  /** How many of `keys`, from the first one on, are here. */
  countPrefix(keys: readonly ChunkKey[]): number {
    const missing = keys.findIndex(key => !this.has(key))
    return missing < 0 ? keys.length : missing
  }

  add(entry: T): void {
    this.#entries.set(entry.key.text, entry)
    this.#policy.added(entry.key.text)
    this.#bytes += entry.bytes
  }

  forget({key, bytes}: T): void {
    this.#entries.delete(key.text)
    this.#policy.removed(key.text)
    this.#bytes -= bytes
  }

  touch(keys: readonly ChunkKey[]): void {
    for (const {text} of keys) this.#policy.hit(text)
  }

  pin(keys: readonly ChunkKey[]): void {
    for (const {text} of keys) {
      const entry = this.#entries.get(text)
      if (entry !== undefined) entry.pins++
    }
  }

  unpin(keys: readonly ChunkKey[]): void {
    for (const {text} of keys) {
      const entry = this.#entries.get(text)
      if (entry !== undefined && entry.pins > 0) entry.pins--
    }
  }

  /** The first one in order of eviction that may go; null when there is none. */
  victim(mayGo: (entry: T) => boolean): T | null {
    const text = this.#policy.candidate(one => mayGo(this.#entries.get(one)!))
    return text === null ? null : this.#entries.get(text)!
  }

  /** What a clear that took `gone` answers. */
  cleared(gone: readonly T[]): Cleared {
    return {
      chunks: gone.length,
      tokens: gone.reduce((sum, {key}) => sum + key.tokens, 0),
      pinnedChunks: this.count,
    }
  }
}
