import {DTYPES, dtypeOfCode} from './dtypes.js'
import {layoutBytes, MEMORY_FORMATS, type ChunkLayout, type TensorLayout} from './memory-format.js'

/** What a stored chunk says about itself, or why it is not believed. */
export type ReadMetadata =
  {readonly layout: ChunkLayout; readonly payloadBytes: number} | {readonly refusal: string}

const FIELDS = 2
const FIELDS_PER_TENSOR = 5
const DIMENSIONS = 4
const MAX_TENSORS = 16
const MAX_PAYLOAD_BYTES = 2 ** 31 - 1

/** Bytes of the header of a chunk with so many tensors: 28 for one. */
export function metadataBytes(tensors: number): number {
  return 4 * (FIELDS + FIELDS_PER_TENSOR * tensors)
}

/**
 * The header before a chunk's bytes: payload length, format, then dtype and four dimensions of each tensor, all i32 little-endian.
 * Shapes of fewer dimensions are padded with zeros behind.
 *
 * @throws RangeError when a tensor's dtype has no code or the payload reaches 2 GiB
 * @see LMCache/LMCache:lmcache/v1/protocol.py — RemoteMetadata
 */
export function writeMetadata(layout: ChunkLayout): Buffer {
  const bytes = Buffer.alloc(metadataBytes(layout.tensors.length))
  const payload = layoutBytes(layout)
  if (payload > MAX_PAYLOAD_BYTES)
    throw new RangeError(`a chunk of ${payload} bytes; the header counts to 2 GiB`)
  let at = bytes.writeInt32LE(payload, 0)
  at = bytes.writeInt32LE(MEMORY_FORMATS.indexOf(layout.format), at)
  for (const {dtype, shape} of layout.tensors) {
    const {code} = DTYPES[dtype]
    if (code === null) throw new RangeError(`${dtype} has no code in headers`)
    at = bytes.writeInt32LE(code, at)
    for (let dimension = 0; dimension < DIMENSIONS; dimension++)
      at = bytes.writeInt32LE(shape[dimension] ?? 0, at)
  }
  return bytes
}

/** Reads a header and holds it to itself: known codes, whole dimensions, and a length that is what the shapes weigh. */
export function readMetadata(bytes: Uint8Array): ReadMetadata {
  const tensors = (bytes.length / 4 - FIELDS) / FIELDS_PER_TENSOR
  if (!Number.isInteger(tensors) || tensors < 1 || tensors > MAX_TENSORS)
    return {refusal: `a header of ${bytes.length} bytes`}
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const payloadBytes = view.getInt32(0, true)
  const formatCode = view.getInt32(4, true)
  const format = MEMORY_FORMATS[formatCode]
  if (format === undefined || format === 'UNDEFINED') return {refusal: `memory format ${formatCode}`}
  const read: TensorLayout[] = []
  for (let index = 0; index < tensors; index++) {
    const tensor = readTensor(view, 4 * (FIELDS + FIELDS_PER_TENSOR * index))
    if (typeof tensor === 'string') return {refusal: tensor}
    read.push(tensor)
  }
  const layout = {format, tensors: read}
  const expected = layoutBytes(layout)
  return payloadBytes === expected
    ? {layout, payloadBytes}
    : {refusal: `a length of ${payloadBytes} bytes where the shapes weigh ${expected}`}
}

function readTensor(view: DataView, at: number): TensorLayout | string {
  const code = view.getInt32(at, true)
  const dtype = dtypeOfCode(code)
  if (dtype === null) return `dtype code ${code}`
  const all = Array.from({length: DIMENSIONS}, (_, index) => view.getInt32(at + 4 + 4 * index, true))
  // Older revisions padded in front.
  const shape = stripZeros(all[0] === 0 ? all.toReversed() : all)
  if (all[0] === 0) shape.reverse()
  return shape.length > 0 && shape.every(size => size > 0) ? {dtype, shape} : `a shape of ${all.join(' × ')}`
}

function stripZeros(shape: number[]): number[] {
  const end = shape.findLastIndex(size => size !== 0)
  return shape.slice(0, end + 1)
}
