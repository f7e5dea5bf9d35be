/** Major types of CBOR (RFC 8949 §3.1). */
export const CBOR_TYPE = {UNSIGNED: 0, NEGATIVE: 1, BYTES: 2, TEXT: 3, ARRAY: 4} as const

/**
 * The shortest form of a CBOR head (RFC 8949 §3): 1 to 9 bytes.
 *
 * @param major one of {@link CBOR_TYPE}
 * @param value a whole number from 0 to 2^53
 * @returns where it ends
 */
export function writeCborHead(into: Buffer, at: number, major: number, value: number): number {
  const type = major << 5
  if (value < 24) return into.writeUInt8(type | value, at)
  if (value < 2 ** 8) return into.writeUInt8(value, into.writeUInt8(type | 24, at))
  if (value < 2 ** 16) return into.writeUInt16BE(value, into.writeUInt8(type | 25, at))
  if (value < 2 ** 32) return into.writeUInt32BE(value, into.writeUInt8(type | 26, at))
  return into.writeBigUInt64BE(BigInt(value), into.writeUInt8(type | 27, at))
}
