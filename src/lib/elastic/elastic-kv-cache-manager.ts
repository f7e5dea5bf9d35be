import {ConfigurationError} from '../foundation/index.js'
import type {KvCacheManager, PageCounts} from '../kvcache/index.js'
import {judgeRevision, REASONS, type LimitRevision, type MemoryLimitState} from './memory-limit.js'
import {poolSnapshot, type PoolFacts, type PoolSnapshot} from './pool-snapshot.js'
import type {UsagePublisher} from './usage-publisher.js'

/** How often pages are mapped ahead, and a limit that fell is obeyed without traffic. */
const TIDY_MS = 20
/** After so long a turn of tidying ends: a page takes up to 3 ms. */
const SLICE_MS = 4

const UNITS = {bytes: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30} as const
/** Powers of 1024. */
export type MemoryUnit = keyof typeof UNITS

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
  #limit: LimitRevision | null = null
  /** One limit after another: a revision is judged against the one that was written before. */
  #limiting: Promise<unknown> = Promise.resolve()

  /** Made by `getKvCacheManager`. */
  constructor(pool: KvCacheManager, publisher: UsagePublisher, facts: PoolFacts, onClose: () => void) {
    this.#pool = pool
    this.#publisher = publisher
    this.#facts = facts
    this.#onClose = onClose
    this.#timer = setInterval(() => this.#tidy(), TIDY_MS)
    this.#timer.unref()
  }

  get groupId(): number {
    return this.#facts.groupId
  }

  get integration(): PoolFacts['integration'] {
    return this.#facts.integration
  }

  /** All that the pool ever has, with which it started. */
  get capacityBytes(): number {
    return this.#pool.startupBytes
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

  /** Gives up what {@link tryToReserve} keeps aside. */
  freeReserved(): void {
    this.#checkOpen()
    this.#pool.freeReserved()
  }

  /** @param bytesPerBuffer of one buffer of one layer @returns true when done, false when blocks have to be freed first */
  resize(bytesPerBuffer: number): boolean {
    this.#checkOpen()
    return this.#pool.resize(bytesPerBuffer)
  }

  /**
   * Sets the pool's limit from within the process, and in its segment, so that `kvctl limit` and this never contradict each
   * other: the last one counts. Whoever repeats a revision changes nothing.
   *
   * @param limitBytes of all layers and buffers; 0 leaves nothing but what is in use
   * @param revision 0 or more; one below the last is `stale`, the last one with another limit a `conflict`
   * @throws RangeError for what is no whole number of 0 or more; ResourceError as `SegmentStore.writeLimit`
   */
  async setMemoryLimit(
    limitBytes: number,
    {revision}: {readonly revision: number},
  ): Promise<MemoryLimitState> {
    const done = this.#limiting.then(async () => this.#setLimit({limitBytes, revision}))
    this.#limiting = done.catch(() => undefined)
    return done
  }

  async #setLimit(asked: LimitRevision): Promise<MemoryLimitState> {
    this.#checkOpen()
    const verdict = judgeRevision(this.#limit, asked)
    if (verdict === 'stale' || verdict === 'conflict')
      return {...this.memoryLimitState(), status: verdict, reason: REASONS[verdict]}
    if (verdict === 'new') {
      // A segment with a total of 0 is in no list; a byte for each buffer leaves no page either.
      const least = this.#facts.numLayers * this.#facts.buffers
      await this.#publisher.setLimit(Math.max(least, this.#effectiveLimit(asked.limitBytes)))
      this.#limit = asked
      this.#pool.applyPendingLimit()
    }
    return this.memoryLimitState()
  }

  /** Of the last limit that {@link setMemoryLimit} set. */
  memoryLimitState(): MemoryLimitState {
    const {total, inUse, reserved} = this.#pool.pageCounts
    const bundle = this.#pool.pageBundleBytes
    const mapped = (inUse + reserved) * bundle
    const effective = this.#effectiveLimit(this.#limit?.limitBytes ?? Infinity)
    const status = this.#pool.shrinkState().inShrink ? 'deferred' : 'applied'
    return {
      status,
      pool_name: this.poolName,
      group_id: this.groupId,
      limit_bytes: this.#limit?.limitBytes ?? null,
      effective_limit_bytes: effective,
      current_capacity_bytes: total * bundle,
      revision: this.#limit?.revision ?? null,
      mapped_bytes: mapped,
      remaining_bytes: Math.max(0, effective - mapped),
      overage_bytes: Math.max(0, mapped - effective),
      reason: REASONS[status],
    }
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

  /** What kvcached's observability says of a pool. */
  observabilitySnapshot(): PoolSnapshot {
    return poolSnapshot(this.#pool, this.#facts)
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

  /** In whole pages. */
  #effectiveLimit(limitBytes: number): number {
    const bundle = this.#pool.pageBundleBytes
    return Math.floor(Math.min(limitBytes, this.#pool.startupBytes) / bundle) * bundle
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
