/** Sizes as the published algorithm names them; one buffer of one layer. */
export interface ReferenceSizes {
  readonly numBlocks: number
  readonly blockBytes: number
  readonly pageBytes: number
  readonly minReserved: number
  readonly maxReserved: number
}

interface Page {
  readonly id: number
  readonly blocks: number
  free: number[]
}

/**
 * kvcached's allocator written down as plainly as its rules are: lists that are searched from the front, no shortcut. What
 * `KvCacheManager` hands out is compared with it, id by id.
 *
 * @see ovg-project/kvcached:kvcached/kv_cache_manager.py and csrc/page_allocator.cpp — the rules, but for three that kvctl
 * promises otherwise: a limit of the start-up size is obeyed, one above it is that size, and a shrink that waits is tried
 * again at every free until its pages fit, where upstream gives up after one try until somebody allocates
 */
export class ReferenceKvCache {
  readonly #sizes: ReferenceSizes
  readonly #perPage: number
  readonly #startPages: number
  readonly #avail = new Map<number, Page>()
  readonly #full = new Map<number, Page>()
  #totalPages: number
  #inUse = 0
  #free: number[]
  #reserved: number[] = []
  #reclaimed: number[] = []
  #ledger: number[] = []
  #inShrink = false
  /** What the watcher last read: pages wanted, -1 for none. */
  #pendingPages = -1

  constructor(sizes: ReferenceSizes) {
    this.#sizes = sizes
    this.#perPage = Math.floor(sizes.pageBytes / sizes.blockBytes)
    this.#totalPages = Math.floor((sizes.numBlocks * sizes.blockBytes) / sizes.pageBytes)
    this.#startPages = this.#totalPages
    this.#free = Array.from({length: this.#totalPages}, (_, id) => id)
    this.alloc(1)
  }

  get counts(): {total: number; inUse: number; reserved: number; free: number} {
    return {
      total: this.#totalPages,
      inUse: this.#inUse,
      reserved: this.#reserved.length,
      free: this.#free.length,
    }
  }

  get inShrink(): boolean {
    return this.#inShrink
  }

  limit(pages: number): void {
    this.#pendingPages = Math.min(pages, this.#startPages)
  }

  alloc(count: number): number[] | null {
    if (count <= 0) return []
    if (this.#pendingPages > 0) this.#resize(this.#pendingPages)
    if (this.#availableSize() < count) return null
    const ids = this.#ledger.splice(0, count)
    while (ids.length < count) {
      const page = this.#avail.size === 0 ? this.#openPage() : this.#bestFit(count - ids.length)
      if (page === null) {
        // Pages that a block straddles hold fewer than the nominal number.
        this.free(ids)
        return null
      }
      this.#avail.delete(page.id)
      ids.push(...page.free.splice(0, Math.min(page.free.length, count - ids.length)))
      ;(page.free.length === 0 ? this.#full : this.#avail).set(page.id, page)
    }
    return ids
  }

  free(ids: readonly number[]): void {
    if (ids.length === 0) return
    const byPage = new Map<number, number[]>()
    for (const id of ids) {
      const page = Math.floor((id * this.#sizes.blockBytes) / this.#sizes.pageBytes)
      byPage.set(page, [...(byPage.get(page) ?? []), id])
    }
    const empty: number[] = []
    for (const [pageId, blocks] of byPage) {
      const page = (this.#avail.get(pageId) ?? this.#full.get(pageId))!
      this.#avail.delete(pageId)
      this.#full.delete(pageId)
      page.free.push(...blocks)
      if (page.free.length === page.blocks) empty.push(pageId)
      else this.#avail.set(pageId, page)
    }
    if (empty.length > 0) this.#freePages(empty)
    if (this.#inShrink && this.#resizePages(this.#pendingPages)) this.#inShrink = false
  }

  reserve(count: number): boolean {
    const ids = this.alloc(count)
    this.#ledger.push(...(ids ?? []))
    return ids !== null
  }

  freeReserved(): void {
    this.free(this.#ledger.splice(0))
  }

  trim(): void {
    this.#free.push(...this.#reserved.splice(0))
  }

  preallocate(): void {
    const lacking = Math.min(this.#sizes.minReserved, this.#startPages) - this.#reserved.length
    this.#reserved.push(...this.#free.splice(0, Math.max(0, lacking)))
  }

  #availableSize(): number {
    const free = [...this.#avail.values()].reduce((sum, page) => sum + page.free.length, 0)
    const openable = this.#inShrink ? 0 : (this.#free.length + this.#reserved.length) * this.#perPage
    return free + this.#ledger.length + openable
  }

  #openPage(): Page | null {
    const id = this.#inShrink ? undefined : (this.#reserved.shift() ?? this.#free.shift())
    if (id === undefined) return null
    this.#inUse++
    const {pageBytes, blockBytes} = this.#sizes
    const first = Math.ceil((id * pageBytes) / blockBytes)
    const end = Math.floor(((id + 1) * pageBytes) / blockBytes)
    return {id, blocks: end - first, free: Array.from({length: end - first}, (_, index) => first + index)}
  }

  #bestFit(wanted: number): Page {
    let best: Page | null = null
    let largest: Page | null = null
    for (const page of this.#avail.values()) {
      if (page.free.length >= wanted && (!best || page.free.length < best.free.length)) best = page
      if (!largest || page.free.length > largest.free.length) largest = page
    }
    return (best ?? largest)!
  }

  #freePages(ids: readonly number[]): void {
    this.#inUse -= ids.length
    const room = Math.max(0, Math.min(this.#sizes.maxReserved, this.#startPages) - this.#reserved.length)
    this.#reserved.push(...ids.slice(0, room))
    this.#free.push(...ids.slice(room))
  }

  #resize(pages: number): void {
    if (this.#resizePages(pages)) {
      this.#inShrink = false
      return
    }
    this.#inShrink = true
    this.freeReserved()
  }

  #resizePages(pages: number): boolean {
    if (pages < this.#inUse) return false
    const more = pages - this.#totalPages
    if (more >= 0) {
      this.#free.push(...this.#reclaimed.splice(0, more))
      this.#totalPages = pages
      return true
    }
    if (this.#free.length < -more) this.trim()
    if (this.#free.length < -more) return false
    for (let cut = 0; cut < -more; cut++) this.#reclaimed.push(this.#free.pop()!)
    this.#totalPages = pages
    return true
  }
}
