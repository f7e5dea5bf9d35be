import {appendFile, mkdir, readdir, rm, stat} from 'node:fs/promises'
import {join} from 'node:path'
import type {Logger} from '../foundation/index.js'
import {BloomFilter} from './core/bloom-filter.js'

export const STATISTICS_STRATEGIES = ['memory_bloom_filter', 'file_hash'] as const

export interface ChunkStatisticsOptions {
  readonly strategy: (typeof STATISTICS_STRATEGIES)[number]
  readonly bloom: {readonly expectedChunks: number; readonly falsePositiveRate: number}
  readonly file: {readonly folder: string; readonly rotationBytes: number; readonly maxFiles: number}
  /** Lookups that may wait to be counted; more are left out. */
  readonly queueCapacity: number
  /** 0 is no such limit. */
  readonly autoExit: {readonly hours: number; readonly uniqueChunks: number}
  readonly isStarted: boolean
  readonly logger: Logger
  readonly nowMs: () => number
}

/** `GET /chunk_statistics/status`: both the seed's name of the flag and the source's. */
export interface ChunkStatisticsJson {
  readonly is_collecting: boolean
  readonly enabled: boolean
  readonly total_requests: number
  readonly total_chunks: number
  readonly unique_chunks: number
  readonly duplicate_chunks: number
  readonly reuse_rate: number
  readonly timing: Readonly<Record<string, number>>
  readonly async_queue: Readonly<Record<string, number | boolean>>
  readonly bloom_filter?: Readonly<Record<string, number>>
  readonly file_hash?: Readonly<Record<string, number | string>>
  readonly timestamp: number
  readonly auto_exit_enabled: boolean
  readonly auto_exit_timeout_hours: number | null
  readonly auto_exit_target_unique_chunks: number | null
}

/** Where seen chunks are remembered. */
interface Recorder {
  /** @returns how many of the hashes are new to it */
  record(lookupId: string, hashes: readonly bigint[]): number | Promise<number>
  clear(): void
  figures(): Promise<Pick<ChunkStatisticsJson, 'bloom_filter' | 'file_hash'>>
}

interface Lookup {
  readonly id: string
  readonly hashes: readonly bigint[]
}

/**
 * How often the same chunks are asked for, whether or not a tier holds them. Counting happens behind the lookups.
 *
 * @see LMCache/LMCache:lmcache/v1/lookup_client/chunk_statistics_lookup_client.py
 */
export class ChunkStatistics {
  readonly #options: ChunkStatisticsOptions
  readonly #recorder: Recorder
  readonly #seenLookups = new Set<string>()
  readonly #queue: Lookup[] = []
  #draining: Promise<void> | null = null
  #isCollecting: boolean
  #startedMs: number | null = null
  #total = 0
  #unique = 0
  #leftOut = 0
  #longest = 0
  #lookupMs = 0
  #recordMs = 0

  constructor(options: ChunkStatisticsOptions) {
    this.#options = options
    this.#isCollecting = options.isStarted
    const {strategy, bloom, file} = options
    this.#recorder =
      strategy === 'file_hash'
        ? new FileRecorder(file, options.nowMs)
        : new BloomRecorder(() => new BloomFilter(bloom.expectedChunks, bloom.falsePositiveRate))
  }

  get isCollecting(): boolean {
    return this.#isCollecting
  }

  get figures(): {readonly total: number; readonly unique: number; readonly requests: number} {
    return {total: this.#total, unique: this.#unique, requests: this.#seenLookups.size}
  }

  start(): void {
    this.#isCollecting = true
    this.#startedMs = null
  }

  stop(): void {
    this.#isCollecting = false
  }

  async reset(): Promise<void> {
    await this.#draining
    this.#seenLookups.clear()
    this.#recorder.clear()
    this.#total = 0
    this.#unique = 0
    this.#startedMs = null
  }

  /** Counts a lookup, once an id. @param lookupMs what the lookup itself took */
  observe(id: string, hashes: readonly bigint[], lookupMs: number): void {
    if (!this.#isCollecting || this.#seenLookups.has(id)) return
    if (this.#queue.length >= this.#options.queueCapacity) {
      this.#leftOut++
      return
    }
    this.#startedMs ??= this.#options.nowMs()
    this.#lookupMs += lookupMs
    this.#seenLookups.add(id)
    this.#queue.push({id, hashes})
    this.#longest = Math.max(this.#longest, this.#queue.length)
    this.#draining ??= this.#drain()
  }

  async status(): Promise<ChunkStatisticsJson> {
    await this.#draining
    this.#exitWhenDue()
    const {autoExit, queueCapacity, nowMs} = this.#options
    const duplicates = this.#total - this.#unique
    const overhead = this.#recordMs
    return {
      is_collecting: this.#isCollecting,
      enabled: this.#isCollecting,
      total_requests: this.#seenLookups.size,
      timing: {
        lookup_time_seconds: this.#lookupMs / 1000,
        record_statistics_time_seconds: this.#recordMs / 1000,
        check_exit_conditions_time_seconds: 0,
        total_time_seconds: (this.#lookupMs + overhead) / 1000,
        overhead_time_seconds: overhead / 1000,
        overhead_percentage: this.#lookupMs > 0 ? (100 * overhead) / this.#lookupMs : 0,
      },
      total_chunks: this.#total,
      unique_chunks: this.#unique,
      duplicate_chunks: duplicates,
      reuse_rate: this.#total === 0 ? 0 : duplicates / this.#total,
      async_queue: {
        enabled: true,
        capacity: queueCapacity,
        current_size: this.#queue.length,
        max_size_reached: this.#longest,
        full_blocks: this.#leftOut,
        utilization: this.#queue.length / queueCapacity,
      },
      ...(await this.#recorder.figures()),
      timestamp: nowMs() / 1000,
      auto_exit_enabled: autoExit.hours > 0 || autoExit.uniqueChunks > 0,
      auto_exit_timeout_hours: autoExit.hours > 0 ? autoExit.hours : null,
      auto_exit_target_unique_chunks: autoExit.uniqueChunks > 0 ? autoExit.uniqueChunks : null,
    }
  }

  async #drain(): Promise<void> {
    for (;;) {
      await new Promise(resolve => setImmediate(resolve))
      const lookup = this.#queue.shift()
      if (lookup === undefined) break
      const before = performance.now()
      try {
        this.#unique += await this.#recorder.record(lookup.id, lookup.hashes)
        this.#total += lookup.hashes.length
      } catch (error) {
        this.#options.logger.warn(`chunk statistics are incomplete: ${String(error)}`)
      }
      this.#recordMs += performance.now() - before
      this.#exitWhenDue()
    }
    this.#draining = null
  }

  #exitWhenDue(): void {
    const {autoExit, nowMs} = this.#options
    const hours = this.#startedMs === null ? 0 : (nowMs() - this.#startedMs) / 3_600_000
    const isDue =
      (autoExit.hours > 0 && hours >= autoExit.hours) ||
      (autoExit.uniqueChunks > 0 && this.#unique >= autoExit.uniqueChunks)
    if (isDue) this.#isCollecting = false
  }
}

class BloomRecorder implements Recorder {
  readonly #create: () => BloomFilter
  /** Some 23 MiB: made when the first chunk is counted. */
  #made: BloomFilter | null = null

  constructor(create: () => BloomFilter) {
    this.#create = create
  }

  get #filter(): BloomFilter {
    return (this.#made ??= this.#create())
  }

  record(_: string, hashes: readonly bigint[]): number {
    return hashes.reduce((count, hash) => count + (this.#filter.add(hash) ? 1 : 0), 0)
  }

  clear(): void {
    this.#made?.clear()
  }

  async figures(): Promise<Pick<ChunkStatisticsJson, 'bloom_filter'>> {
    const {sizeMb, itemCount, bitsSet, fillRate, expectedElements, falsePositiveRate} = this.#filter.figures
    return {
      bloom_filter: {
        size_mb: sizeMb,
        hash_count: this.#filter.hashCount,
        item_count: itemCount,
        bits_set: bitsSet,
        fill_rate: fillRate,
        expected_elements: expectedElements,
        false_positive_rate: falsePositiveRate,
      },
    }
  }
}

/** Lines of JSON, for offline analysis; upstream's uniques are those within one lookup. */
class FileRecorder implements Recorder {
  readonly #options: ChunkStatisticsOptions['file']
  readonly #nowMs: () => number
  #current: string | null = null
  #currentBytes = 0
  #files = 0

  constructor(options: ChunkStatisticsOptions['file'], nowMs: () => number) {
    this.#options = options
    this.#nowMs = nowMs
  }

  async record(lookupId: string, hashes: readonly bigint[]): Promise<number> {
    const {folder, rotationBytes} = this.#options
    const timestamp = this.#nowMs() / 1000
    if (this.#current === null || this.#currentBytes >= rotationBytes) await this.#openNext(timestamp)
    const chunkHashes = hashes.map(hash => `0x${BigInt.asUintN(64, hash).toString(16)}`)
    const line = `${JSON.stringify({timestamp, lookup_id: lookupId, chunk_hashes: chunkHashes})}\n`
    await appendFile(join(folder, this.#current!), line)
    this.#currentBytes += line.length
    return new Set(hashes).size
  }

  clear(): void {
    this.#current = null
  }

  async figures(): Promise<Pick<ChunkStatisticsJson, 'file_hash'>> {
    const {folder, maxFiles} = this.#options
    const size = this.#current === null ? 0 : (await stat(join(folder, this.#current))).size
    return {
      file_hash: {
        file_count: await this.#count(),
        current_file_size: size,
        file_max_count: maxFiles,
        output_dir: folder,
      },
    }
  }

  async #openNext(timestamp: number): Promise<void> {
    const {folder, maxFiles} = this.#options
    await mkdir(folder, {recursive: true})
    const number = String(this.#files++).padStart(6, '0')
    this.#current = `chunk_hashes_${Math.floor(timestamp)}_${number}.jsonl`
    this.#currentBytes = 0
    const names = await this.#names()
    for (const name of names.slice(0, Math.max(0, names.length + 1 - maxFiles)))
      await rm(join(folder, name), {force: true})
  }

  async #count(): Promise<number> {
    return this.#current === null ? 0 : (await this.#names()).length
  }

  async #names(): Promise<string[]> {
    const names = await readdir(this.#options.folder)
    return names.filter(name => /^chunk_hashes_\d+_\d{6}\.jsonl$/.test(name)).sort()
  }
}
