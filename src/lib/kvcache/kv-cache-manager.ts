import {strict as assert} from 'node:assert'
import {ConfigurationError, ResourceError} from '../foundation/index.js'
import {BlockPage, pageOfBlock, type PageGeometry} from './block-page.js'
import {OpenPages} from './open-pages.js'
import {PageAllocator, type PageCounts} from './page-allocator.js'
import type {PageMapper, UsagePort} from './ports.js'

export interface KvCacheOptions {
  /** Block ids are below this, the null block included. */
  readonly numBlocks: number
  /** Bytes of one block, and of one page, in one buffer of one layer. */
  readonly blockBytes: number
  readonly pageBytes: number
  readonly numLayers: number
  /** KV buffers a layer: 2 for separate K and V. */
  readonly buffersPerLayer: number
  /** Block 0 is taken for good, as vLLM's placeholder. */
  readonly reservesNullBlock: boolean
  readonly minReservedPages: number
  readonly maxReservedPages: number
  /** Freed pages keep their memory until {@link KvCacheManager.unmapDoomed}. */
  readonly defersUnmapping: boolean
}

/** How far the pool is from the limit asked for. */
export interface ShrinkState {
  /** More pages are in use than the limit allows; no page is opened until that is over. */
  readonly inShrink: boolean
  /** Blocks that have to go before the others can fit into the pages of the limit. */
  readonly overBlocks: number
}

/** One block's bytes from one place to another. */
export interface BlockMove {
  readonly from: number
  readonly to: number
}

/**
 * Hands out block ids whose bytes lie on mapped pages, opening and closing pages as needed, within a limit that may change
 * at any time. Single caller.
 *
 * @see ovg-project/kvcached:kvcached/kv_cache_manager.py — the same rules, but for these: a block freed twice is an error, a
 * pending shrink stays in force until its pages fit, the start-up size written as limit grows the pool back, and blocks can
 * be moved out of thinly used pages
 */
export class KvCacheManager {
  readonly #options: KvCacheOptions
  readonly #geometry: PageGeometry
  readonly #usage: UsagePort
  readonly #pages: PageAllocator
  readonly #byId = new Map<number, BlockPage>()
  readonly #open: OpenPages
  readonly #isAllocated: Uint8Array
  readonly #blocksPerPage: number
  #allocated = 0
  #isVacant = false
  #reservedBlocks: number[] = []
  #appliedLimitBytes: number | null = null
  #targetPages: number | null = null

  /** @throws ConfigurationError when a block is larger than a page, or not one page fits */
  constructor(mapper: PageMapper, usage: UsagePort, options: KvCacheOptions) {
    const {numBlocks, blockBytes, pageBytes} = options
    if (blockBytes > pageBytes) throw blockTooLarge(blockBytes, pageBytes)
    const totalPages = Math.floor((numBlocks * blockBytes) / pageBytes)
    if (totalPages < 1) {
      throw new ConfigurationError(
        'KV_POOL_TOO_SMALL',
        `${numBlocks} KV blocks do not fill one page; at least ${Math.ceil(pageBytes / blockBytes)} are needed`,
      )
    }
    this.#options = options
    this.#usage = usage
    this.#geometry = {pageBytes, blockBytes}
    this.#blocksPerPage = Math.floor(pageBytes / blockBytes)
    this.#open = new OpenPages(this.#blocksPerPage)
    this.#isAllocated = new Uint8Array(numBlocks)
    this.#pages = new PageAllocator(mapper, {...options, totalPages}, () => this.#publish())
    this.#publish()
    this.#reserveNullBlock()
  }

  /** Bytes that one page id costs: the page in every layer and buffer. */
  get pageBundleBytes(): number {
    return this.#options.pageBytes * this.#options.numLayers * this.#options.buffersPerLayer
  }

  /** The limit with which the pool started, as a segment's `total` states it. */
  get startupBytes(): number {
    const {numBlocks, blockBytes, numLayers, buffersPerLayer} = this.#options
    return numBlocks * blockBytes * numLayers * buffersPerLayer
  }

  get blocksPerPage(): number {
    return this.#blocksPerPage
  }

  get pageCounts(): PageCounts {
    return this.#pages.counts
  }

  /** Allocated blocks that {@link tryToReserve} keeps aside. */
  get reservedBlocks(): number {
    return this.#reservedBlocks.length
  }

  /** Pages that could be opened now, those of the reserve included. */
  get openPages(): number {
    return this.#pages.openPages
  }

  /** Pages without memory yet for which the machine has some; Infinity when it cannot tell. */
  get availablePages(): number {
    return this.#pages.availablePages
  }

  /** Bytes of one buffer of one layer that the last limit asked for leaves; null when none was, or it is the start-up size. */
  get limitPerBuffer(): number | null {
    const limitBytes = this.#appliedLimitBytes
    if (limitBytes === null || this.#perBuffer(limitBytes) === this.#perBuffer(this.startupBytes)) return null
    return this.#perBuffer(limitBytes)
  }

  /** Allocated blocks of a page; 0 when it is not in use. */
  blocksOnPage(pageId: number): number {
    return this.#byId.get(pageId)?.allocatedCount ?? 0
  }

  get allocatedBlocks(): number {
    return this.#allocated
  }

  /** Blocks that {@link alloc} could give now. */
  availableSize(): number {
    if (this.#isVacant) return 0
    const openable = this.#targetPages === null ? this.#pages.openPages * this.#blocksPerPage : 0
    return this.#open.freeBlocks + this.#reservedBlocks.length + openable
  }

  /** Most blocks that the limit in force allows, the null block included. */
  capacityBlocks(): number {
    return (this.#targetPages ?? this.#pages.counts.total) * this.#blocksPerPage
  }

  /** @returns `count` block ids, or null when there are not that many; then nothing has changed */
  alloc(count: number): number[] | null {
    if (count <= 0) return []
    this.applyPendingLimit()
    if (this.availableSize() < count) return null
    const ids = this.#reservedBlocks.splice(0, count)
    while (ids.length < count) {
      const page = this.#open.bestFit(count - ids.length) ?? this.#openPage()
      if (page === null) {
        this.free(ids)
        return null
      }
      const taken = page.take(count - ids.length)
      for (const id of taken) this.#isAllocated[id] = 1
      this.#allocated += taken.length
      this.#open.file(page)
      ids.push(...taken)
    }
    return ids
  }

  /** Takes blocks back; pages left without one lose their memory or join the reserve. */
  free(ids: readonly number[]): void {
    if (ids.length === 0) return
    const touched = new Set<BlockPage>()
    let page: BlockPage | undefined
    for (const id of ids) {
      if (this.#isAllocated[id] !== 1) assert.fail(`KV block ${id} is freed but not allocated`)
      this.#isAllocated[id] = 0
      const pageId = pageOfBlock(id, this.#geometry)
      // Neighbours mostly lie on one page.
      if (page?.id !== pageId) {
        page = this.#byId.get(pageId)
        assert(page, `KV block ${id} lies on no mapped page`)
        touched.add(page)
      }
      page.give(id)
    }
    this.#allocated -= ids.length
    const emptied: number[] = []
    for (const changed of touched) {
      if (changed.allocatedCount > 0) {
        this.#open.file(changed)
        continue
      }
      this.#open.remove(changed)
      this.#byId.delete(changed.id)
      emptied.push(changed.id)
    }
    if (emptied.length > 0) this.#pages.freePages(emptied)
    if (this.#targetPages !== null) this.#tryResize(this.#targetPages)
  }

  /** Keeps `count` blocks aside for a later {@link alloc}. @returns false when there are not that many */
  tryToReserve(count: number): boolean {
    const ids = this.alloc(count)
    if (ids === null) return false
    this.#reservedBlocks.push(...ids)
    return true
  }

  freeReserved(): void {
    this.free(this.#reservedBlocks.splice(0))
  }

  /**
   * Follows the limit that the usage port reports. Below what is in use it is remembered and tried again at every
   * {@link free} and every call of this; meanwhile no page is opened.
   */
  applyPendingLimit(): ShrinkState {
    const limitBytes = this.#usage.limitBytes()
    if (limitBytes !== null && limitBytes !== this.#appliedLimitBytes) {
      const bytesPerBuffer = this.#perBuffer(limitBytes)
      if (bytesPerBuffer > 0) {
        this.#appliedLimitBytes = limitBytes
        this.resize(bytesPerBuffer)
      }
    } else if (this.#targetPages !== null && !this.#tryResize(this.#targetPages)) {
      this.freeReserved()
    }
    return this.shrinkState()
  }

  shrinkState(): ShrinkState {
    const target = this.#targetPages
    if (target === null) return {inShrink: false, overBlocks: 0}
    return {inShrink: true, overBlocks: Math.max(0, this.#allocated - target * this.#blocksPerPage)}
  }

  /** @param bytesPerBuffer of one buffer of one layer, floored to pages @returns true when done, false when pending */
  resize(bytesPerBuffer: number): boolean {
    const pages = Math.floor(bytesPerBuffer / this.#options.pageBytes)
    if (this.#tryResize(pages)) return true
    this.#targetPages = pages
    this.freeReserved()
    return !this.shrinkState().inShrink
  }

  /**
   * Which blocks to move so that pages fall empty: the thinnest pages first, into the free blocks of the fullest. The
   * destinations are allocated by this call; after copying, the caller frees every `from`.
   *
   * @param maxMoves of whole pages, so one page may exceed it
   * @returns empty when no page has to go, or when blocks have to go first
   */
  planCompaction(maxMoves: number): BlockMove[] {
    if (this.#targetPages === null) return []
    const leaving = this.#thinnestPages(this.#pages.counts.inUse - this.#targetPages)
    for (const page of leaving) this.#open.remove(page)
    const moves: BlockMove[] = []
    let isDone = false
    for (const page of leaving) {
      const blocks = this.#allocatedBlocksOf(page)
      isDone ||= blocks.length > this.#open.freeBlocks
      isDone ||= moves.length > 0 && moves.length + blocks.length > maxMoves
      if (isDone) this.#open.file(page)
      else for (const from of blocks) moves.push({from, to: this.#takeFromFullest()})
    }
    return moves
  }

  /**
   * Frees every block, whoever has it, and every page. Nothing is handed out until {@link occupy}; limits still count.
   *
   * @see ovg-project/kvcached:kvcached/kv_cache_manager.py — clear, in two halves
   */
  vacate(): void {
    if (this.#isVacant) return
    this.#isVacant = true
    const ids = [...this.#byId.keys()]
    for (const page of this.#byId.values()) this.#open.remove(page)
    this.#byId.clear()
    this.#isAllocated.fill(0)
    this.#allocated = 0
    this.#reservedBlocks = []
    this.#pages.freePages(ids)
    this.#pages.trim()
    this.#pages.resetFreeOrder()
    this.applyPendingLimit()
  }

  /**
   * The pool is as new, but for its limit.
   *
   * @throws ResourceError when there is no page for the null block; it stays vacant then
   */
  occupy(): void {
    if (!this.#isVacant) return
    this.unmapDoomed(Infinity)
    this.#isVacant = false
    try {
      this.#reserveNullBlock()
    } catch (error) {
      this.#isVacant = true
      throw error
    }
  }

  /** Unmaps everything that is idle. */
  trim(): void {
    this.#pages.trim()
  }

  /** See {@link PageAllocator.preallocate}; does nothing while a shrink is pending or all is vacant. */
  preallocate(maxPages: number): number {
    return this.#targetPages === null && !this.#isVacant ? this.#pages.preallocate(maxPages) : 0
  }

  get doomedPages(): number {
    return this.#pages.doomedCount
  }

  /** Gives memory of freed pages back. @returns how many pages */
  unmapDoomed(maxPages: number): number {
    const count = this.#pages.unmapDoomed(maxPages)
    // A shrink cuts the list's tail, which must not be the null block's page.
    if (this.#isVacant) this.#pages.resetFreeOrder()
    if (count > 0 && this.#targetPages !== null) this.#tryResize(this.#targetPages)
    return count
  }

  /** Is this block handed out, on a page that has memory? For tests and for guards on foreign ids. */
  isAllocated(blockId: number): boolean {
    return this.#isAllocated[blockId] === 1
  }

  #reserveNullBlock(): void {
    if (!this.#options.reservesNullBlock) return
    const ids = this.alloc(1)
    if (ids === null) throw new ResourceError('MEMORY_EXHAUSTED', 'no memory for the first page of KV cache')
    assert.deepEqual(ids, [0], 'the null block must be block 0')
  }

  #tryResize(asked: number): boolean {
    // The null block comes back to its page, whatever the limit.
    const pages = this.#isVacant && this.#options.reservesNullBlock ? Math.max(1, asked) : asked
    if (!this.#pages.resize(pages)) return false
    this.#targetPages = null
    return true
  }

  #openPage(): BlockPage | null {
    if (this.#targetPages !== null || this.#pages.openPages < 1) return null
    try {
      const page = new BlockPage(this.#pages.allocPage(), this.#geometry)
      this.#byId.set(page.id, page)
      return page
    } catch (error) {
      // The machine is short of memory: for the caller that is a full pool, which passes.
      if (error instanceof ResourceError) return null
      throw error
    }
  }

  #thinnestPages(count: number): BlockPage[] {
    if (count <= 0) return []
    return [...this.#byId.values()]
      .filter(page => !(this.#options.reservesNullBlock && page.id === 0))
      .sort((a, b) => a.allocatedCount - b.allocatedCount || b.id - a.id)
      .slice(0, count)
  }

  #allocatedBlocksOf(page: BlockPage): number[] {
    const free = new Set(page.freeBlocks())
    const first = Math.ceil((page.id * this.#geometry.pageBytes) / this.#geometry.blockBytes)
    return Array.from({length: page.capacity}, (_, index) => first + index).filter(id => !free.has(id))
  }

  #takeFromFullest(): number {
    const page = this.#open.bestFit(1)
    const id = page?.take(1)[0]
    assert(page && id !== undefined, 'a planned move has nowhere to go')
    this.#isAllocated[id] = 1
    this.#allocated++
    this.#open.file(page)
    return id
  }

  #perBuffer(bytes: number): number {
    const {numLayers, buffersPerLayer} = this.#options
    return Math.floor(Math.floor(bytes / numLayers) / buffersPerLayer)
  }

  #publish(): void {
    const {inUse, reserved} = this.#pages.counts
    this.#usage.publish(inUse * this.pageBundleBytes, reserved * this.pageBundleBytes)
  }
}

function blockTooLarge(blockBytes: number, pageBytes: number): ConfigurationError {
  const neededMiB = Math.ceil(blockBytes / 2 ** 21) * 2
  return new ConfigurationError(
    'KV_BLOCK_TOO_LARGE',
    `a KV block of ${blockBytes} bytes does not fit into a page of ${pageBytes} bytes`,
    {suggestions: [`use pages of ${neededMiB} MiB (KVCACHED_PAGE_SIZE_MB=${neededMiB})`]},
  )
}
