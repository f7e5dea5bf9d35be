/** A bijection of 32-bit words in which every bit of the input reaches every bit of the output. */
export function mixBits(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad)
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
  return word ^ (word >>> 15)
}
