import {poolSnapshot, type PoolFacts, type PoolSnapshot} from '../elastic/index.js'
import {ConfigurationError} from '../foundation/index.js'
import {KvCacheManager, type BlockMove, type UsagePort} from '../kvcache/index.js'
import {pageMapper, type PageReserve, type Reservation} from '../memory/index.js'
import type {BlockSource} from './core/ports.js'

/** One layer with K and V; a token has one row in each. */
export interface KvGeometry {
  /** A multiple of 16. */
  readonly rowBytes: number
  /** Of one buffer; a page id stands for one such page in K and one in V. */
  readonly pageBytes: number
}

export interface KvMemoryOptions {
  readonly kv: KvGeometry
  readonly blockSize: number
  readonly numBlocks: number
  readonly minReservedPages: number
  readonly maxReservedPages: number
  /** Share of the device's memory that may be used, by whomever. */
  readonly memoryUtilization: number
  readonly reserve: PageReserve
}

const BUFFERS = 2

/**
 * The KV cache's bytes: which blocks exist, where they lie, and the pages behind them. A block's K rows lie together, its V
 * rows after them, and blocks follow each other, as in kvcached's contiguous layout.
 */
export class KvMemory {
  readonly rowBytes: number
  readonly blockSize: number
  /** K and V of one block. */
  readonly bytesPerBlock: number
  readonly reservation: Reservation
  readonly manager: KvCacheManager
  readonly source: BlockSource
  readonly #facts: PoolFacts
  #movedBlocks = 0

  /** @throws ConfigurationError when rows, blocks and pages do not fit each other; ResourceError without memory */
  constructor(usage: UsagePort, options: KvMemoryOptions) {
    const {kv, blockSize, numBlocks, minReservedPages, maxReservedPages} = options
    this.rowBytes = kv.rowBytes
    this.blockSize = blockSize
    this.bytesPerBlock = BUFFERS * blockSize * kv.rowBytes
    const blockBytes = blockSize * kv.rowBytes
    checkGeometry(kv, blockSize, numBlocks)
    const pages = Math.ceil(numBlocks / (kv.pageBytes / blockBytes))
    const reservation = options.reserve({pageBytes: kv.pageBytes * BUFFERS, pageCount: pages})
    this.reservation = reservation
    this.#facts = {
      integration: 'kvctl',
      poolName: 'block_pool',
      groupId: 0,
      numBlocks: (pages * kv.pageBytes) / blockBytes,
      blockBytes,
      pageBytes: kv.pageBytes,
      numLayers: 1,
      buffers: BUFFERS,
      reservesNullBlock: true,
    }
    this.manager = new KvCacheManager(pageMapper(reservation, options.memoryUtilization), usage, {
      numBlocks: (pages * kv.pageBytes) / blockBytes,
      blockBytes,
      pageBytes: kv.pageBytes,
      numLayers: 1,
      buffersPerLayer: BUFFERS,
      reservesNullBlock: true,
      minReservedPages: Math.min(minReservedPages, pages),
      maxReservedPages: Math.min(maxReservedPages, pages),
      defersUnmapping: true,
    })
    this.source = elasticSource(this.manager, numBlocks, (pages * kv.pageBytes) / blockBytes)
  }

  /** What kvcached's observability would say of this pool. */
  get snapshot(): PoolSnapshot {
    return poolSnapshot(this.manager, this.#facts)
  }

  get movedBlocks(): number {
    return this.#movedBlocks
  }

  /** Byte offset of a block's K row; its V row lies {@link valueDistance} further. */
  rowOffset(blockId: number, slot: number): number {
    return blockId * this.bytesPerBlock + slot * this.rowBytes
  }

  get valueDistance(): number {
    return this.blockSize * this.rowBytes
  }

  /** Gives all pages up, the null block's too; no block is handed out until {@link occupy}. */
  vacate(): void {
    this.manager.vacate()
  }

  /** @throws ResourceError `MEMORY_EXHAUSTED` */
  occupy(): void {
    this.manager.occupy()
  }

  /** Copies blocks to where compaction wants them and frees the old places. */
  moveBlocks(moves: readonly BlockMove[]): void {
    for (const {from, to} of moves) {
      this.reservation.copyWithin(to * this.bytesPerBlock, from * this.bytesPerBlock, this.bytesPerBlock)
    }
    this.#movedBlocks += moves.length
    this.manager.free(moves.map(move => move.from))
  }
}

function checkGeometry({rowBytes, pageBytes}: KvGeometry, blockSize: number, numBlocks: number): void {
  const refuse = (message: string): never => {
    throw new ConfigurationError('KV_GEOMETRY_INVALID', message)
  }
  if (!(rowBytes > 0 && rowBytes % 16 === 0))
    refuse(`KV rows have ${rowBytes} bytes; multiples of 16 are possible`)
  if (!(Number.isInteger(blockSize) && blockSize > 0)) refuse(`a KV block has ${blockSize} tokens`)
  if (pageBytes % (blockSize * rowBytes) !== 0) {
    refuse(`a KV page of ${pageBytes} bytes does not hold whole blocks of ${blockSize * rowBytes} bytes`)
  }
  if (!(Number.isInteger(numBlocks) && numBlocks >= 2))
    refuse(`${numBlocks} KV blocks; at least 2 are needed`)
}

/** The manager as the scheduler sees it: never more blocks than asked for at start, none beyond a pending limit. */
function elasticSource(manager: KvCacheManager, numBlocks: number, idLimit: number): BlockSource {
  const capacity = (): number => Math.min(numBlocks, manager.capacityBlocks())
  const available = (): number => {
    manager.applyPendingLimit()
    return Math.max(0, Math.min(manager.availableSize(), capacity() - manager.allocatedBlocks))
  }
  return {
    numBlocks,
    idLimit,
    isElastic: true,
    take: count => manager.alloc(Math.min(count, available())) ?? [],
    give: ids => manager.free(ids),
    available,
    capacity: () => capacity() - 1,
    over: () => manager.applyPendingLimit().overBlocks,
  }
}
