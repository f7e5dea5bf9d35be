import {strict as assert} from 'node:assert'
import {ResourceError} from '../foundation/index.js'
import type {PageMapper} from './ports.js'

export interface PageAllocatorOptions {
  /** Page ids 0 … totalPages−1 at start; also the most there will ever be. */
  readonly totalPages: number
  /** The reserve is refilled up to this many mapped idle pages. */
  readonly minReservedPages: number
  /** Freed pages stay mapped up to this many. */
  readonly maxReservedPages: number
  /**
   * Freed pages wait, still mapped, for {@link PageAllocator.unmapDoomed} instead of being unmapped at once, so that
   * whoever frees them never pays for it.
   */
  readonly defersUnmapping: boolean
}

/** Counts of pages; `inUse + reserved + free = total`, where free ones cost no memory. */
export interface PageCounts {
  readonly total: number
  readonly inUse: number
  /** Mapped and idle, those about to be unmapped included. */
  readonly reserved: number
  readonly free: number
}

/**
 * Hands out page ids and decides which of them have memory behind them. Single caller; nothing waits.
 *
 * @see ovg-project/kvcached:csrc/page_allocator.cpp — the same lists, orders and resize rules; raising the limit above the
 * start-up size, where upstream hands out one page twice, is clamped
 */
export class PageAllocator {
  readonly #mapper: PageMapper
  readonly #options: PageAllocatorOptions
  readonly #onChange: () => void
  #total: number
  #inUse = 0
  #free: number[]
  readonly #reserved: number[] = []
  readonly #doomed: number[] = []
  /** Ids cut off by a shrink, in the order in which growth brings them back. */
  readonly #reclaimed: number[] = []

  constructor(mapper: PageMapper, options: PageAllocatorOptions, onChange: () => void = () => undefined) {
    this.#mapper = mapper
    this.#options = options
    this.#onChange = onChange
    this.#total = options.totalPages
    this.#free = Array.from({length: options.totalPages}, (_, id) => id)
  }

  get counts(): PageCounts {
    const reserved = this.#reserved.length + this.#doomed.length
    return {total: this.#total, inUse: this.#inUse, reserved, free: this.#free.length}
  }

  /** How many more pages the machine could back now; Infinity when it cannot tell. */
  get availablePages(): number {
    return Math.max(0, this.#mapper.availablePages())
  }

  /** Pages that could still be handed out: mapped idle ones, and unmapped ones as far as the machine has memory. */
  get openPages(): number {
    const mapped = this.#reserved.length + this.#doomed.length
    return mapped + Math.min(this.#free.length, this.availablePages)
  }

  /**
   * The next page, with memory behind it.
   *
   * @throws ResourceError `KV_PAGES_EXHAUSTED`, or whatever the mapper throws; then nothing has changed
   */
  allocPage(): number {
    const mapped = this.#reserved.shift() ?? this.#doomed.shift()
    if (mapped !== undefined) return this.#use(mapped)
    const id = this.#free[0]
    if (id === undefined) {
      throw new ResourceError('KV_PAGES_EXHAUSTED', `all ${this.#total} KV pages are in use`)
    }
    this.#mapper.map([id])
    this.#free.shift()
    return this.#use(id)
  }

  /** Takes pages back: some stay mapped as reserve, the others lose their memory. */
  freePages(ids: readonly number[]): void {
    assert(ids.length <= this.#inUse, 'more pages freed than are in use')
    this.#inUse -= ids.length
    const kept = Math.max(0, Math.min(ids.length, this.#options.maxReservedPages - this.#reserved.length))
    this.#reserved.push(...ids.slice(0, kept))
    this.#doom(ids.slice(kept))
    this.#onChange()
  }

  /** Unmaps the whole reserve. */
  trim(): void {
    this.#doom(this.#reserved.splice(0))
    this.#onChange()
  }

  /** Maps idle pages ahead of need. @returns how many it mapped, at most `maxPages` */
  preallocate(maxPages: number): number {
    const lacking = Math.min(this.#options.minReservedPages, this.#total) - this.#reserved.length
    let mapped = 0
    while (mapped < Math.min(lacking, maxPages)) {
      const id = this.#doomed.shift() ?? this.#mapNext()
      if (id === null) break
      this.#reserved.push(id)
      mapped++
    }
    if (mapped > 0) this.#onChange()
    return mapped
  }

  /** Pages whose memory still has to be given back. */
  get doomedCount(): number {
    return this.#doomed.length
  }

  /** Gives the memory of up to `maxPages` freed pages back. @returns how many */
  unmapDoomed(maxPages: number): number {
    const ids = this.#doomed.splice(0, maxPages)
    if (ids.length === 0) return 0
    this.#mapper.unmap(ids)
    this.#free.push(...ids)
    this.#onChange()
    return ids.length
  }

  /**
   * Changes how many pages there are.
   *
   * @param pages clamped to the start-up count
   * @returns false when more pages are in use (or wait to be unmapped) than the new size has; then nothing is cut
   */
  resize(pages: number): boolean {
    const wanted = Math.min(Math.max(0, pages), this.#options.totalPages)
    if (wanted < this.#inUse) return false
    if (wanted > this.#total) this.#grow(wanted - this.#total)
    else if (wanted < this.#total && !this.#cut(this.#total - wanted)) return false
    this.#onChange()
    return true
  }

  /** Sorts the free ids, so that a cleared pool hands them out as a new one does. */
  resetFreeOrder(): void {
    this.#free.sort((a, b) => a - b)
  }

  #use(id: number): number {
    this.#inUse++
    this.#onChange()
    return id
  }

  #mapNext(): number | null {
    const id = this.#free[0]
    if (id === undefined || this.#mapper.availablePages() < 1) return null
    try {
      this.#mapper.map([id])
    } catch (error) {
      // Work ahead of need may fail; whoever needs the page will hear of it.
      if (error instanceof ResourceError) return null
      throw error
    }
    this.#free.shift()
    return id
  }

  #doom(ids: readonly number[]): void {
    this.#doomed.push(...ids)
    if (!this.#options.defersUnmapping) this.unmapDoomed(Infinity)
  }

  /** Upstream's ids beyond the reclaimed ones are new; with the size clamped there are none beyond them. */
  #grow(count: number): void {
    this.#free.push(...this.#reclaimed.splice(0, count))
    this.#total += count
  }

  #cut(count: number): boolean {
    if (this.#free.length < count) this.#doom(this.#reserved.splice(0))
    if (this.#free.length < count) return false
    this.#reclaimed.push(...this.#free.splice(this.#free.length - count).reverse())
    this.#total -= count
    return true
  }
}
