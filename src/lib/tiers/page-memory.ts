import {libc} from '../../native/libc.js'

/** Of the systems that kvctl runs on; also the block of their file systems. */
export const PAGE_BYTES = 4096

/** From here on memory begins with a page: below, the page that this costs would be more than a sixteenth. */
const LEAST_ALIGNED_BYTES = 64 * 1024

/** Memory of arbitrary content; from 64 KiB on it begins with a page, as the kernel's reads past the page cache want it. */
export function pageMemory(bytes: number): Buffer {
  if (bytes < LEAST_ALIGNED_BYTES) return Buffer.allocUnsafeSlow(bytes)
  const memory = Buffer.allocUnsafeSlow(bytes + PAGE_BYTES)
  const start = bytesToNextPage(memory)
  return memory.subarray(start, start + bytes)
}

/** Whether the kernel can read and write these bytes in place: whole pages of them. */
export function isWholePages(bytes: Buffer): boolean {
  return (
    bytes.length >= LEAST_ALIGNED_BYTES && bytes.length % PAGE_BYTES === 0 && bytesToNextPage(bytes) === 0
  )
}

function bytesToNextPage(bytes: Buffer): number {
  const past = Number(libc.addressOf(bytes) % BigInt(PAGE_BYTES))
  return past === 0 ? 0 : PAGE_BYTES - past
}
