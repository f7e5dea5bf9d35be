import {DIGEST_BYTES, fold, LANES, type RowDigest} from './kv-digest.js'
import type {KvMemory} from './kv-memory.js'

/** Everything that one step reads, asked for piece by piece and read with one wait. */
export class StepReads {
  readonly #memory: KvMemory
  /** Where K rows begin; V rows lie further on by one distance. */
  readonly #digests: number[] = []
  readonly #rows: number[] = []
  #digestWords = new Uint32Array(0)
  #rowWords = new Uint32Array(0)

  constructor(memory: KvMemory) {
    this.#memory = memory
  }

  /** Asks for the digests of a token. @param offset of its K row @returns a number to find them by */
  askDigest(offset: number): number {
    return this.#digests.push(offset, offset + this.#memory.valueDistance) - 2
  }

  /** Asks for both rows of a token, whole. */
  askRows(offset: number): number {
    return this.#rows.push(offset, offset + this.#memory.valueDistance) - 2
  }

  read(): void {
    const {rowBytes, reservation} = this.#memory
    this.#digestWords = new Uint32Array(this.#digests.length * LANES)
    this.#rowWords = new Uint32Array((this.#rows.length * rowBytes) / 4)
    const part = (offsets: readonly number[], bytesEach: number, words: Uint32Array) => ({
      ...{offsets, count: offsets.length, bytesEach},
      into: new Uint8Array(words.buffer),
    })
    reservation.gatherAll([
      part(this.#digests, DIGEST_BYTES, this.#digestWords),
      part(this.#rows, rowBytes, this.#rowWords),
    ])
  }

  isDigest(asked: number, {key, value}: RowDigest): boolean {
    const words = this.#digestWords
    const at = asked * LANES
    return key.every((word, lane) => word === words[at + lane] && value[lane] === words[at + LANES + lane])
  }

  /** @param first of `tokens` digests that were asked for one after the other */
  foldDigests(first: number, tokens: number): number {
    return fold(this.#digestWords, 2 * tokens * LANES, first * LANES)
  }

  foldRows(asked: number): number {
    const words = this.#memory.rowBytes / 4
    return fold(this.#rowWords, 2 * words, asked * words)
  }
}
