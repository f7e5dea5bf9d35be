import {createHash} from 'node:crypto'

const MASK = (1n << 64n) - 1n

/**
 * A set of chunk hashes that may take a new one for known, at the given rate once it holds what was expected.
 *
 * @see LMCache/LMCache:lmcache/v1/lookup_client/record_strategies — the memory Bloom filter
 */
export class BloomFilter {
  readonly sizeBits: number
  readonly hashCount: number
  readonly #expected: number
  readonly #rate: number
  readonly #words: Uint32Array
  #items = 0
  #bitsSet = 0

  constructor(expectedItems: number, falsePositiveRate: number) {
    this.#expected = expectedItems
    this.#rate = falsePositiveRate
    this.sizeBits = Math.trunc((-expectedItems * Math.log(falsePositiveRate)) / Math.LN2 ** 2)
    this.hashCount = Math.max(1, Math.trunc((this.sizeBits / expectedItems) * Math.LN2))
    this.#words = new Uint32Array(Math.ceil(this.sizeBits / 32))
  }

  get figures(): {
    readonly sizeMb: number
    readonly itemCount: number
    readonly bitsSet: number
    readonly fillRate: number
    readonly expectedElements: number
    readonly falsePositiveRate: number
  } {
    return {
      sizeMb: this.#words.byteLength / 2 ** 20,
      itemCount: this.#items,
      bitsSet: this.#bitsSet,
      fillRate: this.#bitsSet / this.sizeBits,
      expectedElements: this.#expected,
      falsePositiveRate: this.#rate,
    }
  }

  /** @returns whether it was new */
  add(hash: bigint): boolean {
    let isNew = false
    for (const position of this.positions(hash)) {
      const [word, bit] = [position >>> 5, 1 << (position & 31)]
      if ((this.#words[word]! & bit) !== 0) continue
      this.#words[word]! |= bit
      this.#bitsSet++
      isNew = true
    }
    if (isNew) this.#items++
    return isNew
  }

  clear(): void {
    this.#words.fill(0)
    this.#items = 0
    this.#bitsSet = 0
  }

  /** Bit i: first 4 bytes of SHA-256 of the hash's shortest unsigned big-endian bytes and i as 4 bytes, modulo the size. */
  positions(hash: bigint): number[] {
    const hex = (hash & MASK).toString(16)
    const item = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
    const bytes = Buffer.concat([item, Buffer.alloc(4)])
    return Array.from({length: this.hashCount}, (_, index) => {
      bytes.writeUInt32BE(index, item.length)
      return createHash('sha256').update(bytes).digest().readUInt32BE(0) % this.sizeBits
    })
  }
}
