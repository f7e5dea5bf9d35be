import {mixBits} from '../foundation/index.js'

/** Words of a digest; a row repeats it over its whole length. */
export const LANES = 4
export const DIGEST_BYTES = LANES * 4

/** What a token's row of K and its row of V repeat. */
export interface RowDigest {
  readonly key: Uint32Array
  readonly value: Uint32Array
}

/** Of the row before the first. */
export function firstDigest(): RowDigest {
  return {key: new Uint32Array(LANES).fill(0x9e3779b9), value: new Uint32Array(LANES).fill(0x85ebca6b)}
}

/** One row further: K from the row before and the token, V from K. */
export function advanceDigest({key, value}: RowDigest, token: number): void {
  let carry = mixBits(token + 0x7f4a7c15)
  for (let lane = 0; lane < LANES; lane++) {
    carry = mixBits(carry ^ key[lane]! ^ Math.imul(value[(lane + 1) % LANES]!, 0x2c1b3c6d))
    key[lane] = carry
  }
  for (let lane = 0; lane < LANES; lane++) {
    carry = mixBits(carry + key[lane]!)
    value[lane] = carry
  }
}

/** Hashes `count` words from `from` on, a multiple of 4. */
export function fold(words: Uint32Array, count: number, from = 0): number {
  let [a, b, c, d] = [1, 2, 3, 4]
  for (let at = from, end = from + count; at < end; at += 4) {
    a = Math.imul(a ^ words[at]!, 0x01000193)
    b = Math.imul(b ^ words[at + 1]!, 0x01000193)
    c = Math.imul(c ^ words[at + 2]!, 0x01000193)
    d = Math.imul(d ^ words[at + 3]!, 0x01000193)
  }
  return mixBits(mixBits(mixBits(a) ^ b) ^ mixBits(c + mixBits(d)))
}

/** What {@link fold} makes of a row of K and the row of V behind it that repeat this digest. @param words of one row */
export function foldOfRows({key, value}: RowDigest, words: number): number {
  const both = new Uint32Array(2 * words)
  for (let at = 0; at < words; at += LANES) {
    both.set(key, at)
    both.set(value, words + at)
  }
  return fold(both, 2 * words)
}
