import type {PageReserve, Reservation} from '../memory/index.js'

interface Place {
  readonly range: Reservation
  readonly page: number
}

export interface KvRangeSizes {
  /** Of one layer, all its buffers; rounded up to whole pages. */
  readonly layerBytes: number
  readonly numLayers: number
  readonly buffers: number
  readonly pageBytes: number
  readonly isContiguous: boolean
  /** K and V of a block lie together in the layer's one buffer; only without the contiguous layout. */
  readonly isUnified: boolean
}

/**
 * The addresses of one pool and which of their pages have memory, by the byte offsets of kvcached.
 *
 * Contiguous: one range of compound pages, `P·L·B` bytes each; page id p is at `p·P·L·B`. Otherwise a range for each
 * layer; page id p is at `p·P` for K, and at as much past the middle for V.
 *
 * @see ovg-project/kvcached:csrc/allocator.cpp — map_to_kv_tensors
 */
export class KvRanges {
  readonly ranges: readonly Reservation[]
  readonly #sizes: KvRangeSizes

  /** @throws ResourceError or ConfigurationError when the addresses cannot be had; then none is kept */
  constructor(sizes: KvRangeSizes, reserve: PageReserve) {
    this.#sizes = sizes
    const {pageBytes, layerBytes, numLayers, buffers, isContiguous} = sizes
    const split = isContiguous || sizes.isUnified ? 1 : buffers
    const pages = Math.ceil(layerBytes / (pageBytes * split)) * split
    const ranges: Reservation[] = []
    try {
      if (isContiguous) {
        ranges.push(
          reserve({pageBytes: pageBytes * numLayers * buffers, pageCount: Math.ceil(pages / buffers)}),
        )
      } else {
        for (let layer = 0; layer < numLayers; layer++) ranges.push(reserve({pageBytes, pageCount: pages}))
      }
    } catch (error) {
      for (const range of ranges) range.release()
      throw error
    }
    this.ranges = ranges
  }

  /** Physical bytes of one page id: the page in every layer and buffer. */
  get pageBundleBytes(): number {
    const {pageBytes, numLayers, buffers} = this.#sizes
    return pageBytes * numLayers * buffers
  }

  offsetOf(pageId: number): number {
    return pageId * (this.#sizes.isContiguous ? this.pageBundleBytes : this.#sizes.pageBytes)
  }

  /**
   * Gives memory to the pages at these offsets, all of them or none. One that has some keeps it.
   *
   * @throws RangeError for what is no page's offset; ResourceError `MEMORY_EXHAUSTED`
   */
  map(offsets: readonly number[]): void {
    const places = offsets.flatMap(offset => this.#places(offset))
    const done: Place[] = []
    try {
      for (const place of places) {
        if (place.range.isMapped(place.page)) continue
        place.range.map(place.page)
        done.push(place)
      }
    } catch (error) {
      unmapAll(done)
      throw error
    }
    // Kernels of others do not wait for the zeros.
    for (const range of new Set(done.map(({range}) => range))) range.settle()
  }

  /** @throws RangeError for what is no page's offset */
  unmap(offsets: readonly number[]): void {
    unmapAll(offsets.flatMap(offset => this.#places(offset)))
  }

  /** More page ids that the device could back now; Infinity when nobody can tell. */
  availablePages(utilization: number): number {
    return Math.floor((this.ranges[0]?.availableBytes(utilization) ?? 0) / this.pageBundleBytes)
  }

  residentBytes(): number {
    return this.ranges.reduce((sum, range) => sum + range.residentBytes(), 0)
  }

  release(): void {
    for (const range of this.ranges) range.release()
  }

  #places(offset: number): Place[] {
    const first = this.ranges[0]!
    const page = offset / first.pageBytes
    const {isContiguous, isUnified, buffers} = this.#sizes
    const isSplit = !isContiguous && !isUnified && buffers === 2
    const ids = isSplit ? first.pageCount / 2 : first.pageCount
    if (!(Number.isInteger(page) && page >= 0 && page < ids)) {
      throw new RangeError(`${offset} is not the offset of one of ${ids} pages of ${first.pageBytes} bytes`)
    }
    const pages = isSplit ? [page, page + ids] : [page]
    return this.ranges.flatMap(range => pages.map(at => ({range, page: at})))
  }
}

/** Range by range, since each waits once for its device. */
function unmapAll(places: readonly Place[]): void {
  const byRange = new Map<Reservation, number[]>()
  for (const {range, page} of places) {
    const pages = byRange.get(range)
    if (pages) pages.push(page)
    else byRange.set(range, [page])
  }
  for (const [range, pages] of byRange) range.unmap(...pages)
}
