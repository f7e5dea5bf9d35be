import type {EvictionPolicyName} from './core/eviction/eviction-policy.js'
import type {ChunkLayout} from './core/memory-format.js'
import {CpuPool, type MemoryObject} from './cpu-pool.js'
import {Residents, type Resident} from './residents.js'
import {
  NO_FIGURES,
  type ChunkKey,
  type Cleared,
  type StorageBackend,
  type TierFigures,
} from './storage-backend.js'

interface HeldChunk extends Resident {
  readonly object: MemoryObject
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
  readonly #residents: Residents<HeldChunk>
  #isHot: boolean
  #evictions = 0
  #evictedChunks = 0
  #failedEvictions = 0

  constructor(capacityBytes: number, policy: EvictionPolicyName, isHot: boolean) {
    this.pool = new CpuPool(capacityBytes)
    this.#residents = new Residents(policy)
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
      chunks: this.#residents.count,
      bytes: this.#residents.bytes,
      capacityBytes: this.pool.capacityBytes,
      pinnedChunks: this.#residents.pinnedCount,
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
    return this.#residents.count
  }

  /** Memory for one chunk, evicting what is needed; null when nothing may be evicted. */
  allocate(layout: ChunkLayout): MemoryObject | null {
    for (;;) {
      const object = this.pool.allocate(layout)
      if (object !== null) return object
      const victim = this.#residents.victim(mayGo)
      if (victim === null) {
        this.#failedEvictions++
        return null
      }
      this.#evictions++
      this.#evictedChunks++
      this.#forget(victim)
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
    return this.#residents.has(key)
  }

  /** The chunk, held once more for the caller. */
  peek(key: ChunkKey): MemoryObject | null {
    return this.#residents.get(key)?.object.retain() ?? null
  }

  async countPrefix(keys: readonly ChunkKey[]): Promise<number> {
    return this.#residents.countPrefix(keys)
  }

  async *load(keys: readonly ChunkKey[]): AsyncIterable<MemoryObject> {
    for (const key of keys) {
      const object = this.peek(key)
      if (object === null) return
      yield object
    }
  }

  put(key: ChunkKey, object: MemoryObject): boolean {
    if (this.knows(key)) return true
    this.#residents.add({key, object: object.retain(), bytes: object.physicalBytes, pins: 0})
    return true
  }

  touch(keys: readonly ChunkKey[]): void {
    this.#residents.touch(keys)
  }

  pin(keys: readonly ChunkKey[]): void {
    this.#residents.pin(keys)
  }

  unpin(keys: readonly ChunkKey[]): void {
    this.#residents.unpin(keys)
  }

  async remove(keys: readonly ChunkKey[]): Promise<number> {
    const there = this.#residents.among(keys)
    for (const chunk of there) this.#forget(chunk)
    return there.length
  }

  async clear(): Promise<Cleared> {
    const going = this.#residents.all().filter(mayGo)
    for (const chunk of going) this.#forget(chunk)
    return this.#residents.cleared(going)
  }

  async settle(): Promise<void> {
    // What is put is there at once.
  }

  async close(): Promise<void> {
    for (const chunk of this.#residents.all()) this.#forget(chunk)
  }

  #forget(chunk: HeldChunk): void {
    this.#residents.forget(chunk)
    chunk.object.release()
  }
}

/** Not pinned, and held by nobody but the cache. */
function mayGo({object, pins}: HeldChunk): boolean {
  return pins === 0 && object.holders === 1
}
