import type {Logger} from '../foundation/index.js'
import type {CacheSettings} from './cache-settings.js'
import {ChunkStatistics, type STATISTICS_STRATEGIES} from './chunk-statistics.js'
import {chunkFiles, type ChunkFiles} from './chunk-files.js'
import type {EvictionPolicyName} from './core/eviction/eviction-policy.js'
import {createChunkHasher, hashText, type ChunkHasher, type HashAlgorithm} from './core/hash/chunk-hasher.js'
import {combinedChecksums, layerChecksums} from './core/kv-checksum.js'
import {chunkLayout, type ChunkLayout} from './core/memory-format.js'
import {planChunks, type PlannedChunk} from './core/plan-chunks.js'
import {DTYPES} from './core/dtypes.js'
import type {MemoryObject} from './cpu-pool.js'
import {LocalCpuBackend} from './local-cpu-backend.js'
import {openTiers, type TierSite} from './open-tiers.js'
import type {PagedKv} from './paged-kv.js'
import {SlotLog} from './slot-log.js'
import type {ChunkKey} from './storage-backend.js'
import {TieredStore, type ClearedTiers} from './tiered-store.js'
import {NO_TOTALS, type CacheObserver, type WorkerTotals} from './worker-figures.js'
import type {WorkerIdentity} from './worker-identity.js'

export interface EmbeddedWorkerOptions {
  readonly settings: CacheSettings
  readonly identity: WorkerIdentity
  readonly kv: PagedKv
  /** kvctl's, shown as LMCache's. */
  readonly version: string
  /** Folders below which load-fs-chunks may read. */
  readonly allowedPaths: readonly string[]
  readonly logger: Logger
  /** Time between two tries of a tier that does not work. */
  readonly retryMs: number
  readonly files?: ChunkFiles
}

const GIB = 2 ** 30

export interface StoreOutcome {
  /** Of the chunks that are in a tier now, or on their way. */
  readonly storedTokens: number
}

/**
 * A cache worker in this process: LMCache's engine between a paged KV buffer and the tiers.
 *
 * @see LMCache/LMCache:lmcache/v1/cache_engine.py
 */
export class EmbeddedWorker {
  readonly settings: CacheSettings
  readonly identity: WorkerIdentity
  readonly kv: PagedKv
  readonly version: string
  readonly allowedPaths: readonly string[]
  readonly logger: Logger
  readonly statistics: ChunkStatistics
  readonly slotLog: SlotLog
  readonly store: TieredStore
  readonly chunkTokens: number
  readonly site: TierSite
  readonly #hasher: ChunkHasher
  readonly #statisticsHasher: ChunkHasher
  readonly #observers: CacheObserver[] = []
  readonly #prefix: string
  #totals: WorkerTotals = NO_TOTALS
  #lookups = 0

  private constructor(options: EmbeddedWorkerOptions, store: TieredStore, site: TierSite) {
    const {settings, identity, logger} = options
    this.settings = settings
    this.identity = identity
    this.kv = options.kv
    this.version = options.version
    this.allowedPaths = options.allowedPaths
    this.logger = logger
    this.store = store
    this.site = site
    this.chunkTokens = site.chunkTokens
    this.slotLog = new SlotLog(logger)
    this.#prefix = site.ownPrefix
    const hashing = {
      seed: identity.hashSeed,
      variant: identity.hashVariant,
      keepsBytes: identity.keepsHashBytes,
    }
    const algorithm = (settings.text('pre_caching_hash_algorithm') ?? 'builtin') as HashAlgorithm
    this.#hasher = createChunkHasher({...hashing, algorithm})
    // Upstream's statistics always count by this one.
    this.#statisticsHasher = createChunkHasher({...hashing, algorithm: 'builtin'})
    this.statistics = new ChunkStatistics(statisticsOptions(settings, logger))
  }

  /** @throws ConfigurationError, or system errors of the tiers' media */
  static async open(options: EmbeddedWorkerOptions): Promise<EmbeddedWorker> {
    const {settings, identity, kv, logger} = options
    for (const name of settings.inert())
      logger.warn(`cache setting '${name}' is known and has no effect in kvctl`)
    const cpu = new LocalCpuBackend(
      settings.number('max_local_cpu_size') * GIB,
      (settings.text('cache_policy') ?? 'LRU') as EvictionPolicyName,
      settings.isOn('local_cpu'),
    )
    const {dtype} = kv.shape
    const site: TierSite = {
      ...{settings, cpu, logger, workerId: identity.workerId, ownDtype: dtype},
      ownPrefix: `${identity.model}@${identity.worldSize}@${identity.workerId}@`,
      layoutOf: tokens => chunkLayout(kv.shape, tokens),
      chunkTokens: settings.number('chunk_size'),
      files: options.files ?? chunkFiles,
      retryMs: options.retryMs,
    }
    const store = new TieredStore({
      cpu,
      others: await openTiers(site),
      retrieveLocations: settings.texts('retrieve_locations'),
      storeLocation: settings.text('store_location'),
      pinTimeoutMs: settings.number('pin_timeout_sec') * 1000,
      pinCheckMs: Math.max(1, settings.number('pin_check_interval_sec')) * 1000,
      logger,
    })
    return new EmbeddedWorker(options, store, site)
  }

  get totals(): WorkerTotals {
    return this.#totals
  }

  /** Zeroes the totals; gauges stay. */
  resetTotals(): void {
    this.#totals = NO_TOTALS
  }

  observe(observer: CacheObserver): void {
    this.#observers.push(observer)
  }

  /** Keys of the chunks of a prompt, in order. */
  keysOf(tokens: ArrayLike<number>): {readonly key: ChunkKey; readonly chunk: PlannedChunk}[] {
    const keepsRest = this.settings.isOn('save_unfull_chunk')
    return planChunks(this.#hasher, tokens, this.chunkTokens, keepsRest).map(chunk => ({
      key: this.#keyOf(chunk),
      chunk,
    }))
  }

  /** Stores the KV of these tokens, which lies in `slots`. */
  storeTokens(tokens: ArrayLike<number>, slots: readonly number[], requestId: string): StoreOutcome {
    const before = performance.now()
    if (this.store.isFrozen) return {storedTokens: 0}
    this.slotLog.record('Store', requestId, slots)
    const chunks = this.keysOf(tokens)
    const hashed = performance.now()
    let gatherMs = 0
    const {chunks: stored} = this.store.store(
      chunks.map(({key, chunk: {start, end}}) => ({
        key,
        layout: this.#layoutOf(end - start),
        fill: into => {
          const began = performance.now()
          this.kv.gather(slots.slice(start, end), into)
          gatherMs += performance.now() - began
        },
      })),
    )
    const putMs = performance.now() - hashed - gatherMs
    const storedTokens = chunks[stored - 1]?.chunk.end ?? 0
    this.#count({storeRequests: 1, storedTokens})
    const seconds = (performance.now() - before) / 1000
    const parts = {
      hashSeconds: (hashed - before) / 1000,
      gatherSeconds: gatherMs / 1000,
      putSeconds: putMs / 1000,
    }
    for (const observer of this.#observers) observer.stored(seconds, storedTokens, parts)
    return {storedTokens}
  }

  /** Loads the longest stored prefix of these tokens into `slots`. @returns tokens of that prefix */
  async retrieveTokens(
    tokens: ArrayLike<number>,
    slots: readonly number[],
    requestId: string,
    leastTokens = this.settings.number('min_retrieve_tokens'),
  ): Promise<number> {
    const before = performance.now()
    this.slotLog.record('retrieve', requestId, slots)
    const chunks = this.keysOf(tokens)
    const hashSeconds = (performance.now() - before) / 1000
    const keys = chunks.map(({key}) => key)
    const known = leastTokens > 0 ? await this.#find(keys, null) : keys.length
    const isWorthIt = (chunks[known - 1]?.chunk.end ?? 0) >= leastTokens
    let scatterMs = 0
    const intoSlots = ({bytes}: MemoryObject, index: number): void => {
      const {start, end} = chunks[index]!.chunk
      const began = performance.now()
      this.kv.scatter(slots.slice(start, end), bytes)
      scatterMs += performance.now() - began
    }
    const objects = isWorthIt ? await this.store.retrieve(keys, intoSlots) : []
    for (const object of objects) object.release()
    const hitTokens = chunks[objects.length - 1]?.chunk.end ?? 0
    this.#count({retrieveRequests: 1, requestedTokens: tokens.length, hitTokens})
    const seconds = (performance.now() - before) / 1000
    const parts = {hashSeconds, scatterSeconds: scatterMs / 1000}
    for (const observer of this.#observers)
      observer.retrieved(seconds, hitTokens, hitTokens / tokens.length, parts)
    this.#observeChunks(tokens, requestId, before)
    return hitTokens
  }

  /**
   * Whole chunks of a prompt from the one on in which token `fromTokens` lies, as far as they are stored one after the other;
   * each is held for the caller.
   *
   * @returns null when there is none, or too few by `min_retrieve_tokens`
   */
  async loadChunks(
    tokens: ArrayLike<number>,
    fromTokens: number,
  ): Promise<{
    readonly start: number
    readonly end: number
    readonly objects: readonly MemoryObject[]
  } | null> {
    const before = performance.now()
    const whole = this.keysOf(tokens).filter(({chunk: {start, end}}) => end - start === this.chunkTokens)
    const wanted = whole.slice(Math.floor(fromTokens / this.chunkTokens))
    const start = wanted[0]?.chunk.start
    if (start === undefined) return null
    const objects = await this.store.retrieve(wanted.map(({key}) => key))
    const end = start + objects.length * this.chunkTokens
    const isWorthIt = objects.length > 0 && end >= this.settings.number('min_retrieve_tokens')
    const hitTokens = isWorthIt ? end - start : 0
    this.#count({retrieveRequests: 1, requestedTokens: tokens.length - start, hitTokens})
    const seconds = (performance.now() - before) / 1000
    for (const observer of this.#observers)
      observer.retrieved(seconds, hitTokens, hitTokens / (tokens.length - start), null)
    this.#observeChunks(tokens, 'engine', before)
    if (isWorthIt) return {start, end, objects}
    for (const object of objects) object.release()
    return null
  }

  /** Tokens of the longest stored prefix; nothing is loaded. @param pinId holds it until `store.unpin` */
  async lookupTokens(tokens: ArrayLike<number>, pinId: string | null): Promise<number> {
    const before = performance.now()
    const chunks = this.keysOf(tokens)
    const found = await this.#find(
      chunks.map(({key}) => key),
      pinId,
    )
    const hits = chunks[found - 1]?.chunk.end ?? 0
    this.#count({
      ...{lookupRequests: 1, lookupTokens: tokens.length, lookupHits: hits},
      lookupsWithoutHit: hits === 0 ? 1 : 0,
    })
    for (const observer of this.#observers) observer.lookedUp((performance.now() - before) / 1000)
    this.#observeChunks(tokens, pinId ?? 'lookup', before)
    return hits
  }

  async clear(locations: readonly string[] | null): Promise<ClearedTiers> {
    return this.store.clear(locations)
  }

  /** MD5 of the rows at `slots`, chunk by chunk: combined over layers, or of each. */
  checksums(
    slots: readonly number[],
    chunkSize: number,
  ): {combined: string[]; byLayer: Map<string, string[]>} {
    const {kvSize, heads, headSize, dtype} = this.kv.shape
    const rowBytes = heads * headSize * DTYPES[dtype].bytes
    const byLayer = new Map(
      this.kv.layers.map(({name}, index) => {
        const bytes = this.kv.gatherLayer(index, slots)
        return [name, layerChecksums({name, dtype, kvSize, rowBytes, bytes}, chunkSize)]
      }),
    )
    return {combined: combinedChecksums(byLayer), byLayer}
  }

  /** Opens tiers that the settings ask for now and that are not there. @returns their names */
  async createTiers(): Promise<string[]> {
    const present = this.store.tiers.map(({name}) => name)
    const opened = await openTiers(this.site, present)
    this.store.add(opened)
    return opened.map(({name}) => name)
  }

  async close(): Promise<void> {
    await this.store.close()
  }

  #find(keys: readonly ChunkKey[], pinId: string | null): Promise<number> {
    return this.store.lookup(keys, pinId)
  }

  #keyOf({hash, start, end}: PlannedChunk): ChunkKey {
    const hex = hashText(hash)
    return {text: `${this.#prefix}${hex}@${this.kv.shape.dtype}`, hash: hex, tokens: end - start}
  }

  #layoutOf(tokens: number): ChunkLayout {
    return chunkLayout(this.kv.shape, tokens)
  }

  #observeChunks(tokens: ArrayLike<number>, id: string, beforeMs: number): void {
    if (!this.statistics.isCollecting) return
    const tookMs = performance.now() - beforeMs
    const hashes = planChunks(this.#statisticsHasher, tokens, this.chunkTokens, true).map(
      ({hash}) => hash as bigint,
    )
    this.statistics.observe(`${id}#${this.#lookups++}`, hashes, tookMs)
  }

  #count(more: Partial<WorkerTotals>): void {
    const totals = {...this.#totals}
    for (const [name, value] of Object.entries(more)) totals[name as keyof WorkerTotals] += value
    this.#totals = totals
  }
}

function statisticsOptions(
  settings: CacheSettings,
  logger: Logger,
): ConstructorParameters<typeof ChunkStatistics>[0] {
  return {
    strategy: (settings.text('chunk_statistics_strategy') ??
      'memory_bloom_filter') as (typeof STATISTICS_STRATEGIES)[number],
    bloom: {
      expectedChunks: settings.extra('chunk_statistics_mem_bf_expected_chunks'),
      falsePositiveRate: settings.extra('chunk_statistics_mem_bf_false_positive_rate'),
    },
    file: {
      folder: settings.extra('chunk_statistics_file_output_dir'),
      rotationBytes: settings.extra('chunk_statistics_file_rotation_size'),
      maxFiles: settings.extra('chunk_statistics_file_max_count'),
    },
    queueCapacity: settings.extra('chunk_statistics_async_queue_capacity'),
    autoExit: {
      hours: settings.number('chunk_statistics_auto_exit_timeout_hours'),
      uniqueChunks: settings.number('chunk_statistics_auto_exit_target_unique_chunks'),
    },
    isStarted:
      settings.isOn('enable_chunk_statistics') && settings.isOn('chunk_statistics_auto_start_statistics'),
    logger,
    nowMs: () => Date.now(),
  }
}
