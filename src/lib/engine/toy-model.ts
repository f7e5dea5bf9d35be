import {mixBits} from '../foundation/index.js'
import type {ModelRunner, ScheduledWork} from './core/ports.js'
import type {Sequence} from './core/sequence.js'
import {
  advanceDigest,
  DIGEST_BYTES,
  firstDigest,
  fold,
  foldOfRows,
  LANES,
  type RowDigest,
} from './kv-digest.js'
import type {KvMemory} from './kv-memory.js'
import type {Vocabulary} from './options.js'
import {StepReads} from './step-reads.js'

export interface ToyModelOptions {
  readonly vocabulary: Vocabulary
  readonly meanAnswerTokens: number
  readonly verifyKv: boolean
}

const EARLIER_ROWS = 8
const BEFORE_FIRST = firstDigest()

/**
 * A model without weights that reads every answer out of the KV cache. The row of a token holds a digest of the row before
 * and the token; the next token is read from the whole last row and from the digests of 8 earlier rows which the last one
 * picks. So equal sequences say equal things however they were paged, and a row lost, overwritten or misplaced changes what
 * is said.
 */
export class ToyModel implements ModelRunner {
  readonly #memory: KvMemory
  readonly #options: ToyModelOptions
  /** Of the last row that was loaded or written. */
  readonly #digest: RowDigest = firstDigest()
  readonly #picks = new Uint32Array(EARLIER_ROWS)
  /** By sequence, what its last row was when it was written; only where reads have to be waited for. */
  readonly #written = new WeakMap<Sequence, {readonly position: number; readonly digest: RowDigest}>()
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
    if (this.#memory.reservation.isRemote) this.#runTogether(batch)
    // In order, since a sequence may share blocks which one before it fills in this very step.
    else batch.forEach((work, index) => this.#runAlone(work, index))
    return this.#tokens.slice(0, batch.length)
  }

  #runAlone(work: ScheduledWork, index: number): void {
    this.#loadDigest(work.sequence, work.computedTokens - 1)
    this.#write(work)
    if (work.samples) this.#tokens[index] = this.#sample(work.sequence)
  }

  /**
   * Writes all rows, then reads with one wait whatever the tokens are read from. Who wrote a row knows what it holds, and so
   * which earlier rows it picks; where memory holds anything else, the sequence is run alone, on what is there.
   */
  #runTogether(batch: readonly ScheduledWork[]): void {
    const reads = new StepReads(this.#memory)
    const conclusions = batch.map(work => {
      const {sequence, computedTokens, newTokens, samples} = work
      const before = this.#written.get(sequence)
      let asked: number | null = null
      if (before?.position === computedTokens - 1) {
        copyDigest(before.digest, this.#digest)
        asked = reads.askDigest(this.#offsetOf(sequence, computedTokens - 1))
      } else this.#loadDigest(sequence, computedTokens - 1)
      this.#write(work)
      this.#written.set(sequence, {
        position: computedTokens + newTokens - 1,
        digest: copyDigest(this.#digest, firstDigest()),
      })
      const sample = samples ? this.#askSample(sequence, reads) : () => 0
      return () => (asked === null || reads.isDigest(asked, before!.digest) ? sample() : null)
    })
    reads.read()
    batch.forEach((work, index) => {
      const digest = conclusions[index]!()
      if (digest === null) this.#runAlone(work, index)
      else if (work.samples) this.#tokens[index] = this.#conclude(work.sequence, digest)
    })
  }

  /** Asks for what {@link #sample} reads. @returns its digest once that was read; null when the last row is not as written */
  #askSample(sequence: Sequence, reads: StepReads): () => number | null {
    const last = sequence.tokens.length - 1
    const expected = foldOfRows(this.#digest, this.#memory.rowBytes / 4)
    const rows = reads.askRows(this.#offsetOf(sequence, last))
    const earlier = last === 0 ? [] : [...this.#pickEarlier(last, expected)]
    const asked = earlier.map(position => reads.askDigest(this.#offsetOf(sequence, position)))
    return () => {
      if (reads.foldRows(rows) !== expected) return null
      return last === 0 ? expected : mixBits(expected ^ reads.foldDigests(asked[0]!, asked.length))
    }
  }

  #write({sequence, computedTokens, newTokens}: ScheduledWork): void {
    const {blockSize} = this.#memory
    const end = computedTokens + newTokens
    for (let position = computedTokens; position < end;) {
      const slot = position % blockSize
      const count = Math.min(blockSize - slot, end - position)
      const values = new Uint32Array(count * LANES)
      for (let row = 0; row < count; row++) {
        advanceDigest(this.#digest, sequence.tokens[position + row]!)
        values.set(this.#digest.value, row * LANES)
        this.#stage(row, this.#digest.key, 0)
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
    copyDigest(BEFORE_FIRST, this.#digest)
    if (position < 0) return
    this.#offsets[0] = this.#offsetOf(sequence, position)
    this.#offsets[1] = this.#offsets[0] + this.#memory.valueDistance
    this.#memory.reservation.gather(this.#offsets, 2, DIGEST_BYTES, asBytes(this.#read, 2 * DIGEST_BYTES))
    this.#digest.key.set(this.#read.subarray(0, LANES))
    this.#digest.value.set(this.#read.subarray(LANES, 2 * LANES))
  }

  #sample(sequence: Sequence): number {
    const last = sequence.tokens.length - 1
    let digest = this.#readRow(sequence, last)
    if (last > 0) digest = this.#readEarlier(sequence, last, digest)
    return this.#conclude(sequence, digest)
  }

  /** The token of a digest of what was read. */
  #conclude(sequence: Sequence, read: number): number {
    let digest = read
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
    const picks = this.#pickEarlier(last, digest)
    for (let index = 0; index < EARLIER_ROWS; index++) {
      const offset = this.#offsetOf(sequence, picks[index]!)
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

  /** Which rows before `last` a digest of it picks; until the next call. */
  #pickEarlier(last: number, digest: number): Uint32Array {
    let pick = digest
    for (let index = 0; index < EARLIER_ROWS; index++) {
      pick = mixBits(pick + 0x9e3779b9)
      this.#picks[index] = (pick >>> 0) % last
    }
    return this.#picks
  }

  /** 0 when every word of every row is what its token and the row before make it; anything else otherwise. */
  #damage({tokens, blocks}: Sequence): number {
    const {blockSize, rowBytes, bytesPerBlock, reservation} = this.#memory
    const digest = firstDigest()
    const words = rowBytes / 4
    let damage = 0
    for (let position = 0; position < tokens.length; position++) {
      const slot = position % blockSize
      if (slot === 0) {
        this.#offsets[0] = blocks[position / blockSize]! * bytesPerBlock
        reservation.gather(this.#offsets, 1, bytesPerBlock, asBytes(this.#read, bytesPerBlock))
      }
      advanceDigest(digest, tokens[position]!)
      for (let word = 0; word < words; word++) {
        const atKey = slot * words + word
        const wrong = this.#read[atKey]! ^ digest.key[word % LANES]!
        const alsoWrong = this.#read[atKey + blockSize * words]! ^ digest.value[word % LANES]!
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

function copyDigest(from: RowDigest, to: RowDigest): RowDigest {
  to.key.set(from.key)
  to.value.set(from.value)
  return to
}

function asBytes(words: Uint32Array, bytes: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, bytes)
}

/** All 64 bits of a seed count; seeds next to each other differ in every bit's chance. */
function seedWord(seed: number): number {
  return mixBits(seed) ^ mixBits(Math.floor(seed / 2 ** 32) + 0x2545f491)
}
