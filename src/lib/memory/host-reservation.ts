import {fstatSync} from 'node:fs'
import {isSystemError, ResourceError} from '../foundation/index.js'
import {FALLOC, libc, MAP, MAX_VIEW_BYTES, MFD, PROT, type Libc} from '../../native/libc.js'
import type {Read, Reservation} from './reservation.js'

/** One stretch of the range that a single ArrayBuffer may cover. */
interface Stretch {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
}

/** Up to here a loop over words beats the call that a typed array's `set` is. */
const SMALL_COPY_BYTES = 64

export interface HostReservationOptions {
  /** A multiple of the system's page size, at most 1 GiB. */
  readonly pageBytes: number
  readonly pageCount: number
  /** Shown in `/proc/PID/maps` and `/proc/PID/fd`. */
  readonly name: string
}

/**
 * Host memory: a memory file of which single pages are mapped into a reserved range. Unmapping punches a hole, so that both
 * the process and the file really shrink.
 *
 * @throws ResourceError `MEMORY_UNAVAILABLE` when addresses or the file cannot be had
 */
export function reserveHostMemory(options: HostReservationOptions, system: Libc = libc): Reservation {
  return new HostReservation(options, system)
}

class HostReservation implements Reservation {
  readonly pageBytes: number
  readonly pageCount: number
  readonly isRemote = false
  readonly #libc: Libc
  readonly #fd: number
  readonly #base: bigint
  readonly #isMapped: Uint8Array
  readonly #stretchBytes: number
  #stretches: Stretch[]
  #isReleased = false

  constructor({pageBytes, pageCount, name}: HostReservationOptions, system: Libc) {
    if (pageBytes % 4096 !== 0 || pageBytes < 4096 || pageBytes > MAX_VIEW_BYTES) {
      throw new RangeError(
        `pages of ${pageBytes} bytes; possible are multiples of 4096 up to ${MAX_VIEW_BYTES}`,
      )
    }
    this.pageBytes = pageBytes
    this.pageCount = pageCount
    this.#libc = system
    this.#isMapped = new Uint8Array(pageCount)
    this.#stretchBytes = Math.floor(MAX_VIEW_BYTES / pageBytes) * pageBytes
    const total = pageBytes * pageCount
    try {
      this.#fd = system.memfdCreate(name, MFD.cloexec)
      system.ftruncate(this.#fd, total)
      this.#base = system.mmap(null, total, PROT.none, MAP.private | MAP.anonymous | MAP.noreserve, -1, 0)
    } catch (error) {
      throw new ResourceError('MEMORY_UNAVAILABLE', `cannot reserve ${total} bytes of addresses`, {
        cause: error,
        suggestions: ['ask for fewer KV blocks', 'raise the limit on virtual memory (ulimit -v)'],
      })
    }
    this.#stretches = Array.from({length: Math.ceil(total / this.#stretchBytes)}, (_, index) => {
      const start = index * this.#stretchBytes
      const buffer = system.view(this.#base + BigInt(start), Math.min(this.#stretchBytes, total - start))
      return {bytes: new Uint8Array(buffer), words: new Uint32Array(buffer)}
    })
  }

  get address(): bigint {
    return this.#base
  }

  map(page: number): void {
    this.#checkPage(page)
    if (this.#isMapped[page] === 1) return
    const offset = page * this.pageBytes
    try {
      // The file first: it says ENOSPC or ENOMEM, where touching a mapping that has no memory behind it kills the process.
      this.#libc.fallocate(this.#fd, 0, offset, this.pageBytes)
      this.#place(offset, PROT.read | PROT.write, MAP.shared | MAP.fixed | MAP.populate, this.#fd)
    } catch (error) {
      if (!isSystemError(error, 'ENOSPC', 'ENOMEM', 'EAGAIN')) throw error
      throw new ResourceError(
        'MEMORY_EXHAUSTED',
        `no memory for another ${this.pageBytes} bytes of KV cache`,
        {
          cause: error,
        },
      )
    }
    this.#isMapped[page] = 1
  }

  unmap(...pages: readonly number[]): void {
    for (const page of pages) this.#unmapOne(page)
  }

  isMapped(page: number): boolean {
    return this.#isMapped[page] === 1
  }

  gather(offsets: ArrayLike<number>, count: number, bytesEach: number, into: Uint8Array): void {
    const isSmall = bytesEach <= SMALL_COPY_BYTES && bytesEach % 4 === 0 && into.byteOffset % 4 === 0
    const words = isSmall ? new Uint32Array(into.buffer, into.byteOffset, (count * bytesEach) >> 2) : null
    let at = 0
    for (let index = 0; index < count; index++) {
      const offset = offsets[index]!
      const {stretch, start} = this.#locate(offset, bytesEach)
      if (words !== null && start % 4 === 0) {
        const source = stretch.words
        for (let word = start >> 2, end = (start + bytesEach) >> 2; word < end; word++, at += 4) {
          words[at >> 2] = source[word]!
        }
        continue
      }
      into.set(stretch.bytes.subarray(start, start + bytesEach), at)
      at += bytesEach
    }
  }

  gatherAll(reads: readonly Read[]): void {
    for (const {offsets, count, bytesEach, into} of reads) this.gather(offsets, count, bytesEach, into)
  }

  scatter(offsets: ArrayLike<number>, count: number, bytesEach: number, from: Uint8Array): void {
    for (let index = 0; index < count; index++) {
      const {stretch, start} = this.#locate(offsets[index]!, bytesEach)
      stretch.bytes.set(from.subarray(index * bytesEach, (index + 1) * bytesEach), start)
    }
  }

  copyWithin(toOffset: number, fromOffset: number, bytes: number): void {
    const to = this.#locate(toOffset, bytes)
    const from = this.#locate(fromOffset, bytes)
    const {stretch, start} = from
    to.stretch.bytes.set(stretch.bytes.subarray(start, start + bytes), to.start)
  }

  settle(): void {
    // Nothing is ever under way.
  }

  residentBytes(): number {
    return this.#isReleased ? 0 : fstatSync(this.#fd).blocks * 512
  }

  /** The machine's memory serves whoever comes; what is missing, {@link map} says. */
  availableBytes(): number {
    return Infinity
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#stretches = []
    this.#isMapped.fill(0)
    this.#libc.munmap(this.#base, this.pageBytes * this.pageCount)
    this.#libc.close(this.#fd)
  }

  #unmapOne(page: number): void {
    this.#checkPage(page)
    if (this.#isMapped[page] === 0) return
    const offset = page * this.pageBytes
    this.#isMapped[page] = 0
    this.#place(offset, PROT.none, MAP.private | MAP.anonymous | MAP.noreserve | MAP.fixed, -1)
    this.#libc.fallocate(this.#fd, FALLOC.punchHole | FALLOC.keepSize, offset, this.pageBytes)
  }

  #place(offset: number, protection: number, flags: number, fd: number): void {
    const fileOffset = fd < 0 ? 0 : offset
    this.#libc.mmap(this.#base + BigInt(offset), this.pageBytes, protection, flags, fd, fileOffset)
  }

  #checkPage(page: number): void {
    if (this.#isReleased) throw new RangeError('this memory was released')
    if (!(Number.isInteger(page) && page >= 0 && page < this.pageCount)) {
      throw new RangeError(`page ${page} of ${this.pageCount}`)
    }
  }

  /** The guard of every access: an address without memory behind it would end the process. */
  #locate(offset: number, bytes: number): {stretch: Stretch; start: number} {
    const page = Math.floor(offset / this.pageBytes)
    if (this.#isMapped[page] !== 1 || offset + bytes > (page + 1) * this.pageBytes || bytes < 0) {
      throw new RangeError(`${bytes} bytes at ${offset} are not on one mapped page`)
    }
    const stretch = this.#stretches[Math.floor(offset / this.#stretchBytes)]!
    return {stretch, start: offset % this.#stretchBytes}
  }
}
