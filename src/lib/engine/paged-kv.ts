import {runsOf, type KvLayer, type KvShape, type PagedKv} from '../tiers/index.js'
import type {Read} from '../memory/index.js'
import type {KvMemory} from './kv-memory.js'

/** Heads of 128 numbers of 2 bytes, as many as a row holds. */
const HEAD_SIZE = 128
const NUMBER_BYTES = 2

/** The engine's KV pages as the tiers reach them: slot = block id · block size + place in the block. */
export class EnginePagedKv implements PagedKv {
  readonly shape: KvShape
  readonly slots: number
  readonly layers: readonly KvLayer[]
  readonly #memory: KvMemory

  constructor(memory: KvMemory) {
    const {rowBytes, blockSize} = memory
    const numbers = rowBytes / NUMBER_BYTES
    const headSize = numbers % HEAD_SIZE === 0 ? HEAD_SIZE : numbers
    this.#memory = memory
    this.shape = {layers: 1, kvSize: 2, heads: numbers / headSize, headSize, dtype: 'bfloat16'}
    const blocks = memory.source.idLimit
    this.slots = blocks * blockSize
    this.layers = [
      {name: 'layer_0', shape: [2, blocks, blockSize, this.shape.heads, headSize], device: 'cpu'},
    ]
  }

  gather(slots: ArrayLike<number>, into: Uint8Array): void {
    const {reservation} = this.#memory
    const reads: Read[] = []
    this.#eachRun(slots, (offset, bytes, at) => {
      const part = into.subarray(at, at + bytes)
      // A page without memory holds nothing.
      if (reservation.isMapped(Math.floor(offset / reservation.pageBytes)))
        reads.push({offsets: [offset], count: 1, bytesEach: bytes, into: part})
      else part.fill(0)
    })
    reservation.gatherAll(reads)
  }

  scatter(slots: ArrayLike<number>, from: Uint8Array): void {
    this.#eachRun(slots, (offset, bytes, at) => {
      this.#memory.reservation.scatter([offset], 1, bytes, from.subarray(at, at + bytes))
    })
  }

  gatherLayer(_: number, slots: ArrayLike<number>): Uint8Array {
    const rows = new Uint8Array(2 * slots.length * this.#memory.rowBytes)
    this.gather(slots, rows)
    return rows
  }

  /** Runs within blocks: K rows of all slots, then V rows. */
  #eachRun(slots: ArrayLike<number>, use: (offset: number, bytes: number, at: number) => void): void {
    const {blockSize, rowBytes, valueDistance} = this.#memory
    let at = 0
    for (const distance of [0, valueDistance]) {
      for (const [first, count] of runsOf(slots)) {
        for (let slot = first; slot < first + count;) {
          const place = slot % blockSize
          const rows = Math.min(blockSize - place, first + count - slot)
          const offset = this.#memory.rowOffset(Math.floor(slot / blockSize), place) + distance
          use(offset, rows * rowBytes, at)
          at += rows * rowBytes
          slot += rows
        }
      }
    }
  }
}
