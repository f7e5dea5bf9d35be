import {readStruct, STRUCTS} from './nvml-structs.js'

/** What a process holds on one GPU or MIG device. */
export interface NvmlProcess {
  /** As the host numbers it, whatever container asks. */
  readonly pid: number
  /** Null where the platform does not say (Windows, some containers). */
  readonly usedBytes: number | null
  /** Null outside MIG. */
  readonly gpuInstanceId: number | null
  readonly computeInstanceId: number | null
}

/** Neither 0 nor all ones, which are the values that drivers write most. */
export const UNTOUCHED = 0xa5
/** Room for the longest record that any driver branch has written. */
export const LARGEST_RECORD_BYTES = STRUCTS.nvmlProcessDetail_v1_t.bytes
const STRIDES = [
  STRUCTS.nvmlProcessInfo_v1_t.bytes,
  STRUCTS.nvmlProcessInfo_v2_t.bytes,
  LARGEST_RECORD_BYTES,
] as const

/**
 * How long one record is, seen by how far the driver wrote into a buffer filled with {@link UNTOUCHED}. Needed because
 * `…RunningProcesses_v3` wrote 32 bytes on drivers 535.43–535.86 and 24 on all others.
 *
 * @param count records that the call returned, at least 1
 * @param assumed what to take when the traces fit no known length
 * @see XuehaiPan/nvitop:nvitop/api/libnvml.py — the same break, told apart by exported symbols
 */
export function processRecordBytes(buffer: Buffer, count: number, assumed: number): number {
  let end = buffer.length
  while (end > 0 && buffer[end - 1] === UNTOUCHED) end--
  return STRIDES.find(bytes => bytes * count === end) ?? assumed
}

/** The records of a process list. @param recordBytes 16, 24 or 32 */
export function readProcesses(buffer: Buffer, count: number, recordBytes: number): NvmlProcess[] {
  return Array.from({length: count}, (_, index) => {
    const at = index * recordBytes
    if (recordBytes < STRUCTS.nvmlProcessInfo_v2_t.bytes) {
      const {pid, usedGpuMemory} = readStruct(STRUCTS.nvmlProcessInfo_v1_t, buffer, at)
      return {pid, usedBytes: usedGpuMemory, gpuInstanceId: null, computeInstanceId: null}
    }
    const record = readStruct(STRUCTS.nvmlProcessInfo_v2_t, buffer, at)
    return {
      pid: record.pid,
      usedBytes: record.usedGpuMemory,
      gpuInstanceId: instanceId(record.gpuInstanceId),
      computeInstanceId: instanceId(record.computeInstanceId),
    }
  })
}

function instanceId(value: number): number | null {
  return value === 0xffff_ffff ? null : value
}
