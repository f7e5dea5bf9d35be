import {createHash} from 'node:crypto'
import {DTYPES, type Dtype} from './dtypes.js'

/** The rows of one layer at some slots: `[kv, slots, row bytes]`, K before V. */
export interface LayerRows {
  readonly name: string
  readonly dtype: Dtype
  readonly kvSize: 1 | 2
  readonly rowBytes: number
  readonly bytes: Uint8Array
}

/**
 * MD5 of a layer's rows, chunk by chunk; bfloat16 is widened to float32 first, as upstream does for want of a NumPy type.
 *
 * @returns lower-case hexadecimal digests, one a chunk, the last one of what is left
 * @see LMCache/LMCache:lmcache/v1/internal_api_server/vllm/cache_api.py — the checksum helpers
 */
export function layerChecksums({dtype, kvSize, rowBytes, bytes}: LayerRows, chunkSize: number): string[] {
  const slots = bytes.length / (kvSize * rowBytes)
  const chunks = Math.ceil(slots / chunkSize)
  return Array.from({length: chunks}, (_, chunk) => {
    const [from, to] = [chunk * chunkSize, Math.min(slots, (chunk + 1) * chunkSize)]
    const hash = createHash('md5')
    for (let kv = 0; kv < kvSize; kv++) {
      const start = (kv * slots + from) * rowBytes
      const rows = bytes.subarray(start, start + (to - from) * rowBytes)
      hash.update(dtype === 'bfloat16' ? widened(rows) : rows)
    }
    return hash.digest('hex')
  })
}

/** One digest a chunk: MD5 of the layers' digests as text, layers by name as strings (`layer_10` before `layer_2`). */
export function combinedChecksums(layers: ReadonlyMap<string, readonly string[]>): string[] {
  const names = [...layers.keys()].sort((a, b) => (a < b ? -1 : 1))
  const chunks = layers.get(names[0] ?? '')?.length ?? 0
  return Array.from({length: chunks}, (_, chunk) =>
    createHash('md5')
      .update(names.map(name => layers.get(name)![chunk]!).join(''))
      .digest('hex'),
  )
}

/** Whether upstream's checksum knows the type: NumPy has no 8-bit floats. */
export function hasChecksum(dtype: Dtype): boolean {
  return !DTYPES[dtype].torch.includes('float8')
}

/** Each 2-byte value behind 2 zero bytes: the float32 of the same value, little-endian. */
function widened(bytes: Uint8Array): Uint8Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice()
  const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2)
  const words = new Uint32Array(halves.length)
  for (let index = 0; index < halves.length; index++) words[index] = halves[index]! << 16
  return new Uint8Array(words.buffer)
}
