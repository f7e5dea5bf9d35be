const MASK = (1n << 64n) - 1n

const rotate = (word: bigint, bits: bigint): bigint => ((word << bits) | (word >> (64n - bits))) & MASK

/**
 * SipHash of `bytes`, as an unsigned 64-bit number.
 *
 * @param key two little-endian words
 * @param rounds compression and finalisation rounds: [1, 3] is CPython's since 3.11, [2, 4] that of 3.10 and before
 * @see veorq/SipHash:siphash.c
 */
export function sipHash(
  bytes: Uint8Array,
  key: readonly [bigint, bigint],
  rounds: readonly [number, number],
): bigint {
  let v0 = key[0] ^ 0x736f6d6570736575n
  let v1 = key[1] ^ 0x646f72616e646f6dn
  let v2 = key[0] ^ 0x6c7967656e657261n
  let v3 = key[1] ^ 0x7465646279746573n
  const mix = (count: number): void => {
    for (let round = 0; round < count; round++) {
      v0 = (v0 + v1) & MASK
      v1 = rotate(v1, 13n) ^ v0
      v0 = rotate(v0, 32n)
      v2 = (v2 + v3) & MASK
      v3 = rotate(v3, 16n) ^ v2
      v0 = (v0 + v3) & MASK
      v3 = rotate(v3, 21n) ^ v0
      v2 = (v2 + v1) & MASK
      v1 = rotate(v1, 17n) ^ v2
      v2 = rotate(v2, 32n)
    }
  }
  const absorb = (word: bigint): void => {
    v3 ^= word
    mix(rounds[0])
    v0 ^= word
  }
  const whole = bytes.length - (bytes.length % 8)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at < whole; at += 8) absorb(view.getBigUint64(at, true))
  let last = BigInt(bytes.length & 0xff) << 56n
  for (let at = whole; at < bytes.length; at++) last |= BigInt(bytes[at]!) << BigInt(8 * (at - whole))
  absorb(last)
  v2 ^= 0xffn
  mix(rounds[1])
  return v0 ^ v1 ^ v2 ^ v3
}
