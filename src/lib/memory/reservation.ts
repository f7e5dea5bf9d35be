/** Takes addresses on the device that it stands for. @throws ResourceError or ConfigurationError when they cannot be had */
export type PageReserve = (pages: {readonly pageBytes: number; readonly pageCount: number}) => Reservation

/** Bytes to read: `bytesEach` from each of the first `count` offsets, one after the other, into the front of `into`. */
export interface Read {
  readonly offsets: ArrayLike<number>
  readonly count: number
  readonly bytesEach: number
  readonly into: Uint8Array
}

/**
 * A range of addresses of which single pages have memory. Offsets are bytes from the start of the range. No raw view of it
 * leaves: what a caller holds after {@link Reservation.release} is a copy or nothing.
 */
export interface Reservation {
  readonly pageBytes: number
  readonly pageCount: number
  /** Its bytes are on another device: every {@link gather} waits for that, so many reads belong in one {@link gatherAll}. */
  readonly isRemote: boolean
  /** Where the range begins: an address of this process, or of the GPU. Nothing keeps what is there alive. */
  readonly address: bigint
  /**
   * Gives a page zeroed memory, ready to be written without further faults. A page that has some keeps it.
   *
   * @throws ResourceError `MEMORY_EXHAUSTED`; then the page has none
   */
  map(page: number): void
  /** Takes pages' memory away and returns it to the machine, after whatever was to read or write them; their bytes are lost. */
  unmap(...pages: readonly number[]): void
  isMapped(page: number): boolean
  /**
   * Copies `bytesEach` bytes from every offset, one after the other, into the front of `into`.
   *
   * @param count how many of `offsets` to use
   * @throws RangeError when one of them is not wholly on one mapped page
   */
  gather(offsets: ArrayLike<number>, count: number, bytesEach: number, into: Uint8Array): void
  /** Many at once, with one wait for all. @throws as {@link gather}; then nothing was read */
  gatherAll(reads: readonly Read[]): void
  /**
   * The reverse of {@link gather}. `from` may change afterwards; what this object reads later it reads as written, and who
   * looks at the addresses past it, after {@link settle}.
   */
  scatter(offsets: ArrayLike<number>, count: number, bytesEach: number, from: Uint8Array): void
  /** Copies `bytes` bytes between two mapped pages. */
  copyWithin(toOffset: number, fromOffset: number, bytes: number): void
  /** Waits until everything that was asked for is done. */
  settle(): void
  /** Memory that the range really holds, as the system counts it. */
  residentBytes(): number
  /** How much more memory could be mapped now; Infinity when nobody can tell. @param utilization share of all memory that may be used, 0 to 1 */
  availableBytes(utilization: number): number
  /** Gives everything back; any later use throws. Does nothing the second time. */
  release(): void
}
