import {mixBits} from '../foundation/index.js'
import type {ModelRunner, ScheduledWork} from './core/ports.js'
import type {Sequence} from './core/sequence.js'
import type {KvMemory} from './kv-memory.js'
import type {Vocabulary} from './options.js'

export interface ToyModelOptions {
  readonly vocabulary: Vocabulary
  readonly meanAnswerTokens: number
  readonly verifyKv: boolean
}

/** Words of a digest; a row repeats it over its whole length. */
const LANES = 4
const DIGEST_BYTES = LANES * 4
const EARLIER_ROWS = 8

/**
 * A model without weights that reads every answer out of the KV cache. The row of a token holds a digest of the row before
 * and the token; the next token is read from the whole last row and from the digests of 8 earlier rows which the last one
 * picks. So equal sequences say equal things however they were paged, and a row lost, overwritten or misplaced changes what
 * is said.
 */
export class ToyModel implements ModelRunner {
  readonly #memory: KvMemory
  readonly #options: ToyModelOptions
  readonly #key = new Uint32Array(LANES)
  readonly #value = new Uint32Array(LANES)
  /** K rows of one block, then V rows. */
  readonly #staged: Uint32Array
  readonly #read: Uint32Array
  readonly #offsets = new Float64Array(2 * EARLIER_ROWS)
  #tokens = new Uint32Array(64)

  constructor(memory: KvMemory, options: ToyModelOptions) {
    this.#memory = memory
    this.#options = options
    this.#staged = new Uint32Array((memory.blockSize * memory.rowBytes) / 4)
    this.#read = new Uint32Array(Math.max(memory.bytesPerBlock, 2 * EARLIER_ROWS * DIGEST_BYTES) / 4)
  }

  run(batch: readonly ScheduledWork[]): ArrayLike<number> {
    if (this.#tokens.length < batch.length) this.#tokens = new Uint32Array(batch.length * 2)
    // In order, since a sequence may share blocks which one before it fills in this very step.
    batch.forEach((work, index) => {
      this.#write(work)
      if (work.samples) this.#tokens[index] = this.#sample(work.sequence)
    })
    return this.#tokens.slice(0, batch.length)
  }

  #write({sequence, computedTokens, newTokens}: ScheduledWork): void {
    const {blockSize} = this.#memory
    const end = computedTokens + newTokens
    this.#loadDigest(sequence, computedTokens - 1)
    for (let position = computedTokens; position < end;) {
      const slot = position % blockSize
      const count = Math.min(blockSize - slot, end - position)
      const values = new Uint32Array(count * LANES)
      for (let row = 0; row < count; row++) {
        advance(this.#key, this.#value, sequence.tokens[position + row]!)
        values.set(this.#value, row * LANES)
        this.#stage(row, this.#key, 0)
      }
      const offset = this.#memory.rowOffset(sequence.blocks[Math.floor(position / blockSize)]!, slot)
      this.#flush(offset, count)
      for (let row = 0; row < count; row++) this.#stage(row, values, row * LANES)
      this.#flush(offset + this.#memory.valueDistance, count)
      position += count
    }
  }

  /** Fills a staged row with a digest. */
  #stage(row: number, digest: Uint32Array, from: number): void {
    const words = this.#memory.rowBytes / 4
    const [a, b, c, d] = [digest[from]!, digest[from + 1]!, digest[from + 2]!, digest[from + 3]!]
    const staged = this.#staged
    for (let at = row * words, end = at + words; at < end; at += LANES) {
      staged[at] = a
      staged[at + 1] = b
      staged[at + 2] = c
      staged[at + 3] = d
    }
  }

  #flush(offset: number, rows: number): void {
    const bytes = rows * this.#memory.rowBytes
    this.#offsets[0] = offset
    this.#memory.reservation.scatter(this.#offsets, 1, bytes, asBytes(this.#staged, bytes))
  }

  /** Reads the digests of the row at `position`; before the first there is nothing. */
  #loadDigest(sequence: Sequence, position: number): void {
    this.#key.fill(0x9e3779b9)
    this.#value.fill(0x85ebca6b)
    if (position < 0) return
    this.#offsets[0] = this.#offsetOf(sequence, position)
    this.#offsets[1] = this.#offsets[0] + this.#memory.valueDistance
    this.#memory.reservation.gather(this.#offsets, 2, DIGEST_BYTES, asBytes(this.#read, 2 * DIGEST_BYTES))
    this.#key.set(this.#read.subarray(0, LANES))
    this.#value.set(this.#read.subarray(LANES, 2 * LANES))
  }

  #sample(sequence: Sequence): number {
    const last = sequence.tokens.length - 1
    let digest = this.#readRow(sequence, last)
    if (last > 0) digest = this.#readEarlier(sequence, last, digest)
    if (this.#options.verifyKv) digest ^= this.#damage(sequence)
    const {seed} = sequence.request
    if (seed !== null) digest = mixBits(digest ^ seedWord(seed))
    return this.#choose(sequence, digest >>> 0)
  }

  /** Everything in both rows of one token, as one word. */
  #readRow(sequence: Sequence, position: number): number {
    const bytes = this.#memory.rowBytes
    this.#offsets[0] = this.#offsetOf(sequence, position)
    this.#offsets[1] = this.#offsets[0] + this.#memory.valueDistance
    this.#memory.reservation.gather(this.#offsets, 2, bytes, asBytes(this.#read, 2 * bytes))
    return fold(this.#read, bytes / 2)
  }

  #readEarlier(sequence: Sequence, last: number, digest: number): number {
    let pick = digest
    for (let index = 0; index < EARLIER_ROWS; index++) {
      pick = mixBits(pick + 0x9e3779b9)
      const offset = this.#offsetOf(sequence, (pick >>> 0) % last)
      this.#offsets[2 * index] = offset
      this.#offsets[2 * index + 1] = offset + this.#memory.valueDistance
    }
    const count = 2 * EARLIER_ROWS
    this.#memory.reservation.gather(
      this.#offsets,
      count,
      DIGEST_BYTES,
      asBytes(this.#read, count * DIGEST_BYTES),
    )
    return mixBits(digest ^ fold(this.#read, count * LANES))
  }

  /** 0 when every word of every row is what its token and the row before make it; anything else otherwise. */
  #damage({tokens, blocks}: Sequence): number {
    const {blockSize, rowBytes, bytesPerBlock, reservation} = this.#memory
    const [key, value] = [new Uint32Array(LANES).fill(0x9e3779b9), new Uint32Array(LANES).fill(0x85ebca6b)]
    const words = rowBytes / 4
    let damage = 0
    for (let position = 0; position < tokens.length; position++) {
      const slot = position % blockSize
      if (slot === 0) {
        this.#offsets[0] = blocks[position / blockSize]! * bytesPerBlock
        reservation.gather(this.#offsets, 1, bytesPerBlock, asBytes(this.#read, bytesPerBlock))
      }
      advance(key, value, tokens[position]!)
      for (let word = 0; word < words; word++) {
        const atKey = slot * words + word
        const wrong = this.#read[atKey]! ^ key[word % LANES]!
        const alsoWrong = this.#read[atKey + blockSize * words]! ^ value[word % LANES]!
        if ((wrong | alsoWrong) !== 0) damage = mixBits(damage ^ wrong ^ mixBits(alsoWrong + atKey)) | 1
      }
    }
    return damage
  }

  /** What the guide says, else EOS when it may end and the digest says so, else a word that is no forbidden stop token. */
  #choose({request, guide, generatedTokens}: Sequence, digest: number): number {
    const {vocabulary, meanAnswerTokens} = this.#options
    const guided = guide?.next(digest) ?? 'free'
    if (guided === 'end') return vocabulary.eosTokenId
    if (guided !== 'free') return guided
    const mayStop = generatedTokens >= request.minTokens
    const wantsEnd = mixBits(digest ^ 0x5bd1e995) >>> 0 < 2 ** 32 / meanAnswerTokens
    if (mayStop && !request.ignoreEos && wantsEnd) return vocabulary.eosTokenId
    const {sampleable} = vocabulary
    for (let index = 0; index < sampleable.length; index++) {
      const token = sampleable[(digest + index) % sampleable.length]!
      if (mayStop || !request.stopTokenIds.includes(token)) return token
    }
    return sampleable[digest % sampleable.length]!
  }

  #offsetOf({blocks}: Sequence, position: number): number {
    const {blockSize} = this.#memory
    return this.#memory.rowOffset(blocks[Math.floor(position / blockSize)]!, position % blockSize)
  }
}

function asBytes(words: Uint32Array, bytes: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, bytes)
}

/** One row further: K from the row before and the token, V from K. */
function advance(key: Uint32Array, value: Uint32Array, token: number): void {
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

/** Hashes `count` words, a multiple of 4. */
function fold(words: Uint32Array, count: number): number {
  let [a, b, c, d] = [1, 2, 3, 4]
  for (let at = 0; at < count; at += 4) {
    a = Math.imul(a ^ words[at]!, 0x01000193)
    b = Math.imul(b ^ words[at + 1]!, 0x01000193)
    c = Math.imul(c ^ words[at + 2]!, 0x01000193)
    d = Math.imul(d ^ words[at + 3]!, 0x01000193)
  }
  return mixBits(mixBits(mixBits(a) ^ b) ^ mixBits(c + mixBits(d)))
}

/** All 64 bits of a seed count; seeds next to each other differ in every bit's chance. */
function seedWord(seed: number): number {
  return mixBits(seed) ^ mixBits(Math.floor(seed / 2 ** 32) + 0x2545f491)
}
