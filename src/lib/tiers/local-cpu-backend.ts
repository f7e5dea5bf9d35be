import {createEvictionPolicy} from './core/eviction/create-eviction-policy.js'
import type {EvictionPolicy, EvictionPolicyName} from './core/eviction/eviction-policy.js'
import type {ChunkLayout} from './core/memory-format.js'
import {CpuPool, type MemoryObject} from './cpu-pool.js'
import {
  NO_FIGURES,
  type ChunkKey,
  type Cleared,
  type StorageBackend,
  type TierFigures,
} from './storage-backend.js'

interface Entry {
  readonly key: ChunkKey
  readonly object: MemoryObject
  pins: number
}

/** How long a reader waits for memory that others hold, and how often it looks. */
const PATIENCE_MS = 1000
const LOOK_MS = 10

/**
 * The hot cache in CPU memory, and the memory through which all other tiers are read and written.
 *
 * @see LMCache/LMCache:lmcache/v1/storage_backend/local_cpu_backend.py
 */
export class LocalCpuBackend implements StorageBackend {
  readonly name = 'LocalCPUBackend'
  readonly pool: CpuPool
  readonly #entries = new Map<string, Entry>()
  readonly #policy: EvictionPolicy
  #isHot: boolean
  #bytes = 0
  #evictions = 0
  #evictedChunks = 0
  #failedEvictions = 0

  constructor(capacityBytes: number, policy: EvictionPolicyName, isHot: boolean) {
    this.pool = new CpuPool(capacityBytes)
    this.#policy = createEvictionPolicy(policy)
    this.#isHot = isHot
  }

  /** Whether it keeps chunks. */
  get isHot(): boolean {
    return this.#isHot
  }

  get evictionCounts(): {readonly count: number; readonly keys: number; readonly failed: number} {
    return {count: this.#evictions, keys: this.#evictedChunks, failed: this.#failedEvictions}
  }

  get figures(): TierFigures {
    return {
      ...NO_FIGURES,
      chunks: this.#entries.size,
      bytes: this.#bytes,
      capacityBytes: this.pool.capacityBytes,
      pinnedChunks: this.#pinned(),
      evictedChunks: this.#evictedChunks,
    }
  }

  enable(): void {
    this.#isHot = true
  }

  /** Gives up everything that is not in use. @returns how many chunks stay until they are released */
  async disable(): Promise<number> {
    await this.clear()
    this.#isHot = false
    return this.#entries.size
  }

  /** Memory for one chunk, evicting what is needed; null when nothing may be evicted. */
  allocate(layout: ChunkLayout): MemoryObject | null {
    for (;;) {
      const object = this.pool.allocate(layout)
      if (object !== null) return object
      const victim = this.#policy.candidate(text => mayGo(this.#entries.get(text)!))
      if (victim === null) {
        this.#failedEvictions++
        return null
      }
      this.#evictions++
      this.#evictedChunks++
      this.#forget(this.#entries.get(victim)!)
    }
  }

  /** As {@link allocate}, waiting a moment for what others hold: their writes end. */
  async allocatePatiently(layout: ChunkLayout): Promise<MemoryObject | null> {
    for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
      const object = this.allocate(layout)
      if (object !== null || waitedMs >= PATIENCE_MS) return object
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
  }

  knows(key: ChunkKey): boolean {
    return this.#entries.has(key.text)
  }

  /** The chunk, held once more for the caller. */
  peek(key: ChunkKey): MemoryObject | null {
    return this.#entries.get(key.text)?.object.retain() ?? null
  }

  async countPrefix(keys: readonly ChunkKey[]): Promise<number> {
    const missing = keys.findIndex(({text}) => !this.#entries.has(text))
    return missing < 0 ? keys.length : missing
  }

  async load(keys: readonly ChunkKey[]): Promise<(MemoryObject | null)[]> {
    return keys.map(key => this.peek(key))
  }

  put(key: ChunkKey, object: MemoryObject): boolean {
    if (this.#entries.has(key.text)) return true
    this.#entries.set(key.text, {key, object: object.retain(), pins: 0})
    this.#policy.added(key.text)
    this.#bytes += object.physicalBytes
    return true
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

  async remove(keys: readonly ChunkKey[]): Promise<number> {
    const there = keys.flatMap(({text}) => this.#entries.get(text) ?? [])
    for (const entry of there) this.#forget(entry)
    return there.length
  }

  async clear(): Promise<Cleared> {
    const going = [...this.#entries.values()].filter(mayGo)
    for (const entry of going) this.#forget(entry)
    return {
      chunks: going.length,
      tokens: going.reduce((sum, {key}) => sum + key.tokens, 0),
      pinnedChunks: this.#entries.size,
    }
  }

  async settle(): Promise<void> {
    // What is put is there at once.
  }

  async close(): Promise<void> {
    for (const entry of [...this.#entries.values()]) this.#forget(entry)
  }

  #pinned(): number {
    let count = 0
    for (const {pins} of this.#entries.values()) if (pins > 0) count++
    return count
  }

  #forget({key, object}: Entry): void {
    this.#entries.delete(key.text)
    this.#policy.removed(key.text)
    this.#bytes -= object.physicalBytes
    object.release()
  }
}

/** Not pinned, and held by nobody but the cache. */
function mayGo({object, pins}: Entry): boolean {
  return pins === 0 && object.holders === 1
}
