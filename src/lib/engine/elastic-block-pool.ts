import {shortOfBlocks} from '../elastic/index.js'
import {BlockPool} from './core/block-pool.js'
import type {BlockSource} from './core/ports.js'

/** Where an {@link ElasticBlockPool} has its blocks from: what `getKvCacheManager` returns. */
export interface BlockManager {
  /** @returns null when there are not so many */
  alloc(count: number): number[] | null
  /** Takes blocks back. */
  free(blockIds: readonly number[]): void
  /** Blocks that it could give now. */
  availableSize(): number
}

/** Size and cache of a pool of blocks. */
export interface ElasticBlockPoolOptions {
  /** Blocks of the manager, the null block included. */
  readonly numGpuBlocks: number
  readonly enableCaching: boolean
  /** Most blocks kept for their content alone; null is no limit. */
  readonly maxCachedBlocks?: number | null
}

/**
 * vLLM's pool of blocks, elastic: blocks come from a manager and go back to it as soon as nobody needs them or their
 * content. The embedded engine schedules on the same pool.
 *
 * @see vllm-project/vllm:vllm/v1/core/block_pool.py — the same methods
 * @see ovg-project/kvcached:kvcached/integration/vllm/patches.py — the class that replaces it
 */
export class ElasticBlockPool {
  readonly #pool: BlockPool
  readonly #cachesPrefixes: boolean

  constructor(
    manager: BlockManager,
    {numGpuBlocks, enableCaching, maxCachedBlocks}: ElasticBlockPoolOptions,
  ) {
    this.#pool = new BlockPool(sourceOf(manager, numGpuBlocks), maxCachedBlocks ?? null)
    this.#cachesPrefixes = enableCaching
  }

  /**
   * Blocks without content, referenced once; what is only cached makes room.
   *
   * @throws ResourceError `KV_BLOCKS_SHORT`; then nothing has changed
   */
  getNewBlocks(count: number): number[] {
    const ids = count > this.getNumFreeBlocks() ? null : this.#pool.allocate(count)
    if (ids === null) throw shortOfBlocks(count)
    return ids
  }

  /** The block that holds this content; null when none does, or nothing is cached at all. */
  getCachedBlock(blockHash: string): number | null {
    return this.#pool.findPrefix([blockHash], 1)[0] ?? null
  }

  /** Blocks are full and have content from now on, by which {@link getCachedBlock} finds them. */
  cacheFullBlocks(blockIds: readonly number[], blockHashes: readonly string[]): void {
    if (!this.#cachesPrefixes) return
    blockIds.forEach((id, index) => this.#pool.publish(id, blockHashes[index]!))
  }

  /** One more reference to each. */
  touch(blockIds: readonly number[]): void {
    this.#pool.touch(blockIds)
  }

  /** One reference less to each, in the order in which they may be evicted. */
  freeBlocks(orderedBlockIds: readonly number[]): void {
    this.#pool.release(orderedBlockIds)
  }

  /** Forgets all content. @returns false, changing nothing, while a block is referenced */
  resetPrefixCache(): boolean {
    return this.#pool.resetPrefixes()
  }

  /** Blocks that {@link getNewBlocks} could give now, those that are only cached among them. */
  getNumFreeBlocks(): number {
    return this.#pool.freeBlocks
  }

  /** 0 to 1, over all blocks. */
  getUsage(): number {
    return this.#pool.usage
  }
}

function sourceOf(manager: BlockManager, numBlocks: number): BlockSource {
  const available = (): number => manager.availableSize()
  return {
    numBlocks,
    idLimit: numBlocks,
    isElastic: true,
    take: count => manager.alloc(Math.min(count, available())) ?? [],
    give: ids => manager.free(ids),
    available,
    capacity: () => numBlocks - 1,
    over: () => 0,
  }
}
