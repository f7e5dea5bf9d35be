/**
 * `gaps.bin`: every gap between token-bearing chunks of every request. All integers are little-endian.
 *
 * ```
 * header   16 bytes   "KVCTLGAP" · u32 version (2) · u32 nanoseconds per unit (1000: gaps are microseconds)
 * frame    12 bytes   u32 request id · u32 number of gaps, its highest bit set when token counts follow · u32 payload
 *                     bytes, then the payload:
 *                     one varint a gap (LEB128, 7 bits a byte, low bits first) holding the zigzag difference to the gap
 *                     before it, the first one to 0;
 *                     then, when the server said so and some have several, one varint a chunk: the tokens in it, from
 *                     the first chunk on, one more than there are gaps
 * …                   one frame a request, in the order of completion; requests without gaps have none
 * index    12 bytes   per frame, ascending by id: u32 request id · u64 offset of its frame
 * footer   20 bytes   u64 offset of the index · u32 frames · "KVCTLIDX"
 * ```
 *
 * Index and footer are written when the run ends. A file without them, from a run that was killed, is read frame by frame
 * up to the first incomplete one. Version 1 had no token counts.
 */
export const GAPS_MAGIC = 'KVCTLGAP'
export const INDEX_MAGIC = 'KVCTLIDX'
export const GAPS_VERSION = 2
export const NS_PER_UNIT = 1000
export const HEADER_BYTES = 16
export const FRAME_HEADER_BYTES = 12
export const INDEX_ENTRY_BYTES = 12
export const FOOTER_BYTES = 20
/** Of the number of gaps: token counts follow. */
export const HAS_TOKENS = 0x8000_0000
/** A zigzag difference of two u32 takes at most 33 bits, five groups of seven. */
export const MAX_VARINT_BYTES = 5

export function gapsHeader(): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write(GAPS_MAGIC, 0, 'latin1')
  header.writeUInt32LE(GAPS_VERSION, 8)
  header.writeUInt32LE(NS_PER_UNIT, 12)
  return header
}

/** Room that one request's frame can need. */
export function frameRoom(gapsUs: Uint32Array, chunkTokens: Uint32Array | null): number {
  return FRAME_HEADER_BYTES + (gapsUs.length + (chunkTokens?.length ?? 0)) * MAX_VARINT_BYTES
}

/**
 * Writes one request's frame at `at`; `into` must have its `frameRoom` there.
 *
 * @param chunkTokens of every chunk, one more than gaps; null where nothing says them
 * @returns the offset after it
 */
export function encodeFrame(
  into: Buffer,
  at: number,
  id: number,
  gapsUs: Uint32Array,
  chunkTokens: Uint32Array | null = null,
): number {
  const payload = at + FRAME_HEADER_BYTES
  let end = payload
  let before = 0
  for (const gap of gapsUs) {
    const difference = gap - before
    before = gap
    // Zigzag by arithmetic: the difference of two u32 does not fit the 32 bits of JavaScript's shifts.
    end = putVarint(into, end, difference < 0 ? -2 * difference - 1 : 2 * difference)
  }
  for (const tokens of chunkTokens ?? []) end = putVarint(into, end, tokens)
  into.writeUInt32LE(id, at)
  into.writeUInt32LE(gapsUs.length + (chunkTokens === null ? 0 : HAS_TOKENS), at + 4)
  into.writeUInt32LE(end - payload, at + 8)
  return end
}

function putVarint(into: Buffer, at: number, value: number): number {
  let [end, rest] = [at, value]
  while (rest >= 0x80) {
    into[end++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  into[end++] = rest
  return end
}

/**
 * Reads `count` gaps from `from` up to `to` into `gapsUs`, and the tokens of `count + 1` chunks behind them into `tokens`.
 *
 * @param tokens null when none follow
 * @returns false when the bytes hold another number of values, or one outside 0 … 2^32−1
 */
export function decodePayload(
  from: Buffer,
  at: number,
  to: number,
  gapsUs: Uint32Array,
  count: number,
  tokens: Uint32Array | null,
): boolean {
  let offset = at
  let value = 0
  const values = tokens === null ? count : 2 * count + 1
  for (let index = 0; index < values; index++) {
    if (offset >= to) return false
    let byte = from[offset++]!
    let zigzag = byte & 0x7f
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      if (offset >= to || scale > 2 ** 28) return false
      byte = from[offset++]!
      zigzag += (byte & 0x7f) * scale
    }
    if (index >= count) {
      if (zigzag > 0xffff_ffff) return false
      tokens![index - count] = zigzag
      continue
    }
    value += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    if (value < 0 || value > 0xffff_ffff) return false
    gapsUs[index] = value
  }
  return offset === to
}
