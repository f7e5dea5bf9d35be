/** Sizes of one buffer of one layer, in bytes; blocks are laid end to end and pages cut through them. */
export interface PageGeometry {
  readonly pageBytes: number
  readonly blockBytes: number
}

/** The page on which a block begins. */
export function pageOfBlock(blockId: number, {pageBytes, blockBytes}: PageGeometry): number {
  return Math.floor((blockId * blockBytes) / pageBytes)
}

/**
 * The blocks that lie wholly on a page: from `first` up to, not including, `end`. A block that straddles a boundary belongs
 * to no page and is never handed out.
 *
 * @see ovg-project/kvcached:csrc/page.cpp — the same range
 */
export function blockRange(
  pageId: number,
  {pageBytes, blockBytes}: PageGeometry,
): {first: number; end: number} {
  return {
    first: Math.ceil((pageId * pageBytes) / blockBytes),
    end: Math.floor(((pageId + 1) * pageBytes) / blockBytes),
  }
}

/** A mapped page and which of its blocks are free, oldest freed first. */
export class BlockPage {
  readonly id: number
  readonly capacity: number
  #free: number[] = []

  constructor(id: number, geometry: PageGeometry) {
    const {first, end} = blockRange(id, geometry)
    this.id = id
    this.capacity = Math.max(0, end - first)
    for (let block = first; block < end; block++) this.#free.push(block)
  }

  get freeCount(): number {
    return this.#free.length
  }

  get allocatedCount(): number {
    return this.capacity - this.#free.length
  }

  freeBlocks(): readonly number[] {
    return this.#free
  }

  /** Takes up to `count` blocks from the head of the free list. */
  take(count: number): number[] {
    if (count >= this.#free.length) {
      const all = this.#free
      this.#free = []
      return all
    }
    return this.#free.splice(0, count)
  }

  give(blockId: number): void {
    this.#free.push(blockId)
  }
}
