import type {BlockPage} from './block-page.js'

/**
 * The pages with at least one free block, found by how many they have. Within one count the page that changed longest ago
 * comes first, which is upstream's insertion order without its scan over all pages.
 *
 * @see ovg-project/kvcached:kvcached/kv_cache_manager.py — best fit over an ordered map
 */
export class OpenPages {
  readonly #byFreeCount: Set<BlockPage>[]
  readonly #countOf = new Map<BlockPage, number>()
  #freeBlocks = 0

  /** @param blocksPerPage nominal; pages may have one more */
  constructor(blocksPerPage: number) {
    this.#byFreeCount = Array.from({length: blocksPerPage + 2}, () => new Set())
  }

  /** Free blocks of all pages here. */
  get freeBlocks(): number {
    return this.#freeBlocks
  }

  has(page: BlockPage): boolean {
    return this.#countOf.has(page)
  }

  /** Puts a page whose free count changed where it belongs, as the newest; a full one is left out. */
  file(page: BlockPage): void {
    this.remove(page)
    if (page.freeCount === 0) return
    this.#byFreeCount[page.freeCount]!.add(page)
    this.#countOf.set(page, page.freeCount)
    this.#freeBlocks += page.freeCount
  }

  remove(page: BlockPage): void {
    const count = this.#countOf.get(page)
    if (count === undefined) return
    this.#byFreeCount[count]!.delete(page)
    this.#countOf.delete(page)
    this.#freeBlocks -= count
  }

  /** The page with the fewest free blocks that are enough; failing that, the one with the most. */
  bestFit(wanted: number): BlockPage | null {
    for (let count = wanted; count < this.#byFreeCount.length; count++) {
      for (const page of this.#byFreeCount[count]!) return page
    }
    for (let count = Math.min(wanted, this.#byFreeCount.length) - 1; count > 0; count--) {
      for (const page of this.#byFreeCount[count]!) return page
    }
    return null
  }
}
