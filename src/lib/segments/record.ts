/**
 * What an engine and its limiters share: three little-endian signed 64-bit integers in a file of exactly 24 bytes.
 *
 * @see ovg-project/kvcached:csrc/inc/mem_info_tracker.hpp — total_size at 0, used_size at 8, prealloc_size at 16
 */
export interface SegmentRecord {
  /** The limit in force for the whole pool of one GPU rank; written by the engine once, then by limiters only. */
  readonly limitBytes: bigint
  /** Physical memory in pages handed out. */
  readonly usedBytes: bigint
  /** Physical memory in pages mapped ahead of need. */
  readonly preallocBytes: bigint
}

export const RECORD_BYTES = 24

/** @param bytes at least 24 */
export function decodeRecord(bytes: Uint8Array): SegmentRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_BYTES)
  return {
    limitBytes: view.getBigInt64(0, true),
    usedBytes: view.getBigInt64(8, true),
    preallocBytes: view.getBigInt64(16, true),
  }
}

/** @returns 24 bytes */
export function encodeRecord({limitBytes, usedBytes, preallocBytes}: SegmentRecord): Uint8Array {
  const bytes = new Uint8Array(RECORD_BYTES)
  const view = new DataView(bytes.buffer)
  view.setBigInt64(0, limitBytes, true)
  view.setBigInt64(8, usedBytes, true)
  view.setBigInt64(16, preallocBytes, true)
  return bytes
}

/** Memory the engine holds at this moment. */
export function heldBytes({usedBytes, preallocBytes}: SegmentRecord): bigint {
  return usedBytes + preallocBytes
}

/** used / limit × 100; 0 without a limit, as kvcached's table shows it. */
export function usedPercent({limitBytes, usedBytes}: SegmentRecord): number {
  return limitBytes === 0n ? 0 : (Number(usedBytes) / Number(limitBytes)) * 100
}
