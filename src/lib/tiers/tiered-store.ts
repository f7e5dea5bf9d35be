import type {Logger} from '../foundation/index.js'
import type {ChunkLayout} from './core/memory-format.js'
import {takesPart, type TierSwitches, type TierUse} from './core/tier-rules.js'
import type {MemoryObject} from './cpu-pool.js'
import type {LocalCpuBackend} from './local-cpu-backend.js'
import {PeriodicTask} from './periodic-task.js'
import type {ChunkKey, Cleared, StorageBackend} from './storage-backend.js'

export interface TieredStoreOptions {
  readonly cpu: LocalCpuBackend
  /** Slower ones, in the order in which they are asked. */
  readonly others: readonly StorageBackend[]
  /** Only these are read, where given (`retrieve_locations`). */
  readonly retrieveLocations: readonly string[] | null
  /** Only this one is written, where given (`store_location`). */
  readonly storeLocation: string | null
  readonly pinTimeoutMs: number
  readonly pinCheckMs: number
  readonly logger: Logger
}

/** A chunk to store: `fill` writes its bytes once there is memory for them. */
export interface ChunkToStore {
  readonly key: ChunkKey
  readonly layout: ChunkLayout
  readonly fill: (into: Buffer) => void
}

export interface Stored {
  /** Chunks that were there already, or were taken. */
  readonly chunks: number
  readonly newChunks: number
}

export interface ClearedTiers {
  readonly byTier: ReadonlyMap<string, Cleared>
  readonly chunks: number
  readonly tokens: number
  readonly pinnedChunks: number
}

interface Pinned {
  readonly sinceMs: number
  readonly parts: {readonly tier: StorageBackend; readonly keys: readonly ChunkKey[]}[]
}

/**
 * The tiers as one store. The CPU tier comes first and is always there: the others are read and written through its memory.
 *
 * @see LMCache/LMCache:lmcache/v1/storage_backend/storage_manager.py
 */
export class TieredStore {
  readonly #options: TieredStoreOptions
  readonly #bypassed = new Set<string>()
  readonly #pins = new Map<string, Pinned>()
  readonly #pinMonitor: PeriodicTask
  #tiers: readonly StorageBackend[]
  #isFrozen = false
  #forcedUnpins = 0

  constructor(options: TieredStoreOptions) {
    this.#options = options
    this.#tiers = [options.cpu, ...options.others]
    this.#pinMonitor = new PeriodicTask({
      // Upstream's name and level.
      ...{name: 'PinMonitor-thread', level: 'critical', intervalMs: options.pinCheckMs},
      ...{run: () => this.#unpinOld(), logger: options.logger},
    })
  }

  get tiers(): readonly StorageBackend[] {
    return this.#tiers
  }

  get cpu(): LocalCpuBackend {
    return this.#options.cpu
  }

  /** What it does again and again. */
  get tasks(): readonly PeriodicTask[] {
    return [this.#pinMonitor]
  }

  get isFrozen(): boolean {
    return this.#isFrozen
  }

  set isFrozen(isFrozen: boolean) {
    this.#isFrozen = isFrozen
  }

  get forcedUnpins(): number {
    return this.#forcedUnpins
  }

  get pinnedLookups(): number {
    return this.#pins.size
  }

  /** Bypassed tiers in tier order. */
  get bypassed(): string[] {
    return this.#tiers.map(({name}) => name).filter(name => this.#bypassed.has(name))
  }

  /** @returns whether it was bypassed before */
  bypass(name: string, isBypassed: boolean): boolean {
    const was = this.#bypassed.has(name)
    if (isBypassed) this.#bypassed.add(name)
    else this.#bypassed.delete(name)
    return was
  }

  /** Adds tiers behind those that are there. */
  add(tiers: readonly StorageBackend[]): void {
    this.#tiers = [...this.#tiers, ...tiers]
  }

  /** Closes one tier and forgets it. @returns false when there is none of that name */
  async closeTier(name: string): Promise<boolean> {
    const tier = this.#tiers.find(one => one.name === name)
    if (tier === undefined || tier === this.cpu) return false
    this.#tiers = this.#tiers.filter(one => one !== tier)
    this.#bypassed.delete(name)
    await tier.close()
    return true
  }

  /** Stores chunks, from the first one on until memory runs out. @throws what `fill` throws; chunks before stay stored */
  store(chunks: readonly ChunkToStore[]): Stored {
    const tiers = this.#taking('store').filter(
      ({name}) => this.#options.storeLocation === null || name === this.#options.storeLocation,
    )
    let [count, newChunks] = [0, 0]
    if (tiers.length === 0) return {chunks: 0, newChunks}
    for (const {key, layout, fill} of chunks) {
      if (tiers.every(tier => tier.knows(key))) {
        count++
        continue
      }
      let object = this.cpu.peek(key)
      if (object === null) {
        object = this.cpu.allocate(layout)
        if (object === null) break
        try {
          fill(object.bytes)
        } catch (error) {
          object.release()
          throw error
        }
        newChunks++
      }
      const taken = tiers.map(tier => tier.put(key, object))
      object.release()
      if (taken.includes(true)) count++
    }
    return {chunks: count, newChunks}
  }

  /**
   * How many of the keys, from the first one on, the tiers hold together.
   *
   * @param pinId holds what was found until {@link unpin} or the time limit; also makes the prefix the last to be evicted
   */
  async lookup(keys: readonly ChunkKey[], pinId: string | null = null): Promise<number> {
    let found = 0
    const parts: Pinned['parts'] = []
    for (const tier of this.#reading('lookup')) {
      if (found === keys.length) break
      const count = await tier.countPrefix(keys.slice(found))
      if (count === 0) continue
      const some = keys.slice(found, found + count)
      if (pinId !== null) {
        tier.pin(some)
        parts.push({tier, keys: some})
      }
      found += count
    }
    if (pinId !== null) {
      this.unpin(pinId)
      this.#pins.set(pinId, {sinceMs: performance.now(), parts})
      for (const {tier, keys: some} of parts.toReversed()) tier.touch(some.toReversed())
    }
    return found
  }

  unpin(pinId: string): void {
    for (const {tier, keys} of this.#pins.get(pinId)?.parts ?? []) tier.unpin(keys)
    this.#pins.delete(pinId)
  }

  /**
   * The longest prefix that can be loaded, each chunk held once for the caller.
   *
   * @param arrived is told of each chunk as soon as all before it are there, while the next ones are read; what it throws is thrown
   */
  async retrieve(
    keys: readonly ChunkKey[],
    arrived?: (object: MemoryObject, index: number) => void,
  ): Promise<MemoryObject[]> {
    const objects: MemoryObject[] = []
    try {
      for (const tier of this.#reading('retrieve')) {
        if (objects.length === keys.length) break
        const first = objects.length
        const count = await tier.countPrefix(keys.slice(first))
        if (count === 0) continue
        const some = keys.slice(first, first + count)
        for await (const object of tier.load(some)) {
          objects.push(object)
          arrived?.(object, objects.length - 1)
        }
        const loaded = objects.slice(first)
        // Suffix first, so that the head of a prompt is the last to be evicted.
        tier.touch(some.slice(0, loaded.length).toReversed())
        if (loaded.length < count) break
        if (tier !== this.cpu && takesPart(this.cpu.name, 'write-back', this.#switches))
          loaded.forEach((object, index) => this.cpu.put(some[index]!, object))
      }
    } catch (error) {
      for (const object of objects) object.release()
      throw error
    }
    return objects
  }

  /** @param locations tiers by name; null is all. Unknown ones match nothing. */
  async clear(locations: readonly string[] | null): Promise<ClearedTiers> {
    const byTier = new Map<string, Cleared>()
    for (const tier of this.#taking('clear'))
      if (locations === null || locations.includes(tier.name)) byTier.set(tier.name, await tier.clear())
    const sum = (what: keyof Cleared): number =>
      [...byTier.values()].reduce((total, cleared) => total + cleared[what], 0)
    return {byTier, chunks: sum('chunks'), tokens: sum('tokens'), pinnedChunks: sum('pinnedChunks')}
  }

  /** Resolves when everything put so far is written or dropped. */
  async settle(): Promise<void> {
    await Promise.all(this.#tiers.map(async tier => tier.settle()))
  }

  async close(): Promise<void> {
    this.#pinMonitor.stop()
    for (const tier of this.#tiers.toReversed()) await tier.close()
  }

  get #switches(): TierSwitches {
    return {isFrozen: this.#isFrozen, isHot: this.cpu.isHot, bypassed: this.#bypassed}
  }

  #taking(use: TierUse): readonly StorageBackend[] {
    return this.#tiers.filter(({name}) => takesPart(name, use, this.#switches))
  }

  #reading(use: 'retrieve' | 'lookup'): readonly StorageBackend[] {
    const {retrieveLocations} = this.#options
    return this.#taking(use).filter(({name}) => retrieveLocations?.includes(name) ?? true)
  }

  #unpinOld(): string {
    const nowMs = performance.now()
    const before = this.#pins.size
    for (const [id, {sinceMs, parts}] of this.#pins) {
      if (nowMs - sinceMs < this.#options.pinTimeoutMs) continue
      this.#options.logger.warn(`lookup ${id} held its chunks for too long; they may be evicted again`)
      this.#forcedUnpins += parts.reduce((sum, {keys}) => sum + keys.length, 0)
      this.unpin(id)
    }
    return `pinned lookups: ${before}, given up: ${before - this.#pins.size}`
  }
}
