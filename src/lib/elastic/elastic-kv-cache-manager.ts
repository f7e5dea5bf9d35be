import {ConfigurationError} from '../foundation/index.js'
import type {KvCacheManager, PageCounts} from '../kvcache/index.js'
import type {UsagePublisher} from './usage-publisher.js'

/** How often pages are mapped ahead, and a limit that fell is obeyed without traffic. */
const TIDY_MS = 20
/** After so long a turn of tidying ends: a page takes up to 3 ms. */
const SLICE_MS = 4

const UNITS = {bytes: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30} as const
export type MemoryUnit = keyof typeof UNITS

/** What kvcached's observability says of one pool, key by key. */
export interface PoolSnapshot {
  readonly schema_version: 'kvcached.observability.v1'
  readonly pool_type: 'kv_cache'
  readonly integration: string
  readonly pool_name: string
  readonly group_id: number
  readonly num_layers: number
  readonly num_kv_buffers: number
  readonly page_size_bytes: number
  readonly block_size_bytes: number
  readonly total_blocks: number
  readonly available_blocks: number
  readonly allocated_blocks: number
  readonly reserved_blocks: number
  readonly available_bytes: number
  readonly allocated_bytes: number
  readonly reserved_bytes: number
  readonly null_block_reserved: boolean
  readonly virtual_per_layer_bytes: number
  readonly virtual_total_bytes: number
  readonly mapped_bytes: number
  readonly total_pages: number
  readonly free_pages: number
  readonly inuse_pages: number
  readonly reserved_pages: number
  readonly effective_free_pages: number
  readonly in_shrink: boolean
  readonly shrink_target_blocks: number | null
}

export interface PoolFacts {
  readonly integration: 'vllm' | 'sglang'
  readonly poolName: string
  readonly groupId: number
  readonly numBlocks: number
  readonly blockBytes: number
  readonly pageBytes: number
  readonly numLayers: number
  readonly buffers: number
  readonly reservesNullBlock: boolean
}

/**
 * A pool of KV blocks as kvcached hands it to engines: block ids for the pages of one group of tensors, within the limit
 * that its segment states. The limit is obeyed within 200 ms, with or without traffic; only blocks that are still allocated
 * are in its way. For one caller: nothing here waits, and nothing may be called from two threads.
 *
 * @see ovg-project/kvcached:kvcached/kv_cache_manager.py — the same methods and answers
 */
export class ElasticKvCacheManager {
  readonly #pool: KvCacheManager
  readonly #publisher: UsagePublisher
  readonly #facts: PoolFacts
  readonly #timer: NodeJS.Timeout
  readonly #onClose: () => void
  #isClosed = false

  /** Made by `getKvCacheManager`. */
  constructor(pool: KvCacheManager, publisher: UsagePublisher, facts: PoolFacts, onClose: () => void) {
    this.#pool = pool
    this.#publisher = publisher
    this.#facts = facts
    this.#onClose = onClose
    this.#timer = setInterval(() => this.#tidy(), TIDY_MS)
    this.#timer.unref()
  }

  get poolName(): string {
    return this.#facts.poolName
  }

  /** @returns `count` block ids, or null when there are not that many; then nothing has changed */
  alloc(count: number): number[] | null {
    this.#checkOpen()
    return this.#pool.alloc(count)
  }

  /** @throws AssertionError when a block is not allocated */
  free(blockIds: readonly number[]): void {
    this.#checkOpen()
    this.#pool.free(blockIds)
  }

  /** Blocks that {@link alloc} could give now. */
  availableSize(): number {
    return this.#isClosed ? 0 : this.#pool.availableSize()
  }

  /** Keeps blocks aside for later calls of {@link alloc}. @returns false when there are not that many */
  tryToReserve(count: number): boolean {
    this.#checkOpen()
    return this.#pool.tryToReserve(count)
  }

  freeReserved(): void {
    this.#checkOpen()
    this.#pool.freeReserved()
  }

  /** @param bytesPerBuffer of one buffer of one layer @returns true when done, false when blocks have to be freed first */
  resize(bytesPerBuffer: number): boolean {
    this.#checkOpen()
    return this.#pool.resize(bytesPerBuffer)
  }

  /** Gives the memory of all idle pages back. */
  trim(): void {
    this.#checkOpen()
    this.#pool.trim()
  }

  /** Frees every block, whoever has it; block ids begin again as in a new pool. */
  clear(): void {
    this.#checkOpen()
    this.#pool.vacate()
    this.#pool.occupy()
  }

  /** Memory of pages in use. @throws ConfigurationError for a unit that is none */
  getMappedMemorySize(unit: MemoryUnit = 'bytes'): number {
    if (!(unit in UNITS)) {
      throw new ConfigurationError('UNIT_INVALID', `'${unit as string}' is not a unit of memory`, {
        suggestions: [`take one of ${Object.keys(UNITS).join(', ')}`],
      })
    }
    return (this.#pool.pageCounts.inUse * this.#pool.pageBundleBytes) / UNITS[unit]
  }

  /** Allocated blocks by page id; 0 for a page that is not in use. */
  getPageOccupancy(pageIds: readonly number[]): Map<number, number> {
    return new Map(pageIds.map(id => [id, this.#pool.blocksOnPage(id)]))
  }

  /** Pages and what they do. */
  getPageCounts(): PageCounts {
    return this.#pool.pageCounts
  }

  /** @see ovg-project/kvcached:kvcached/observability.py — the same keys, but for two that only its driver can tell */
  observabilitySnapshot(): PoolSnapshot {
    const {numLayers, buffers, blockBytes, pageBytes, numBlocks, ...facts} = this.#facts
    const {total, inUse, reserved, free} = this.#pool.pageCounts
    const {inShrink} = this.#pool.shrinkState()
    const blockBundle = blockBytes * numLayers * buffers
    const [available, allocated] = [this.availableSize(), this.#pool.allocatedBlocks]
    const perLayer = numBlocks * blockBytes * buffers
    return {
      schema_version: 'kvcached.observability.v1',
      pool_type: 'kv_cache',
      integration: facts.integration,
      pool_name: facts.poolName,
      group_id: facts.groupId,
      num_layers: numLayers,
      num_kv_buffers: buffers,
      page_size_bytes: pageBytes,
      block_size_bytes: blockBytes,
      total_blocks: numBlocks,
      available_blocks: available,
      allocated_blocks: allocated,
      reserved_blocks: this.#pool.reservedBlocks,
      available_bytes: available * blockBundle,
      allocated_bytes: allocated * blockBundle,
      reserved_bytes: this.#pool.reservedBlocks * blockBundle,
      null_block_reserved: facts.reservesNullBlock,
      virtual_per_layer_bytes: perLayer,
      virtual_total_bytes: perLayer * numLayers,
      mapped_bytes: this.getMappedMemorySize(),
      total_pages: total,
      free_pages: free + reserved,
      inuse_pages: inUse,
      reserved_pages: reserved,
      effective_free_pages: this.#pool.openPages,
      in_shrink: inShrink,
      shrink_target_blocks: inShrink ? this.#pool.capacityBlocks() : null,
    }
  }

  /** Ends the pool and removes its segment. Does nothing the second time. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#timer)
    await this.#publisher.close()
    this.#pool.vacate()
    this.#onClose()
  }

  /** Removes the segment and nothing else, at once: for a process that ends. */
  removeSync(): void {
    this.#publisher.remove()
  }

  #tidy(): void {
    const until = performance.now() + SLICE_MS
    this.#pool.applyPendingLimit()
    while (this.#pool.preallocate(1) > 0 && performance.now() < until);
    this.#publisher.flush()
  }

  #checkOpen(): void {
    if (this.#isClosed)
      throw new ConfigurationError('KV_POOL_CLOSED', `the pool '${this.poolName}' is closed`)
  }
}
