import {mixBits} from '../foundation/index.js'
import {DTYPES} from './core/dtypes.js'
import type {KvShape} from './core/memory-format.js'
import {runsOf, type KvLayer, type PagedKv} from './paged-kv.js'

export interface HostPagedKvOptions {
  readonly shape: KvShape
  readonly slots: number
  /** Slots of a block, which shows in shapes only. */
  readonly blockSize: number
}

/**
 * A paged buffer in this process, for a worker without an engine: a buffer a layer, `[kv, slots, heads, head size]`. It begins
 * with a pattern in which every slot of every layer differs, so that a misplaced row changes a checksum.
 */
export class HostPagedKv implements PagedKv {
  readonly shape: KvShape
  readonly slots: number
  readonly layers: readonly KvLayer[]
  readonly #rowBytes: number
  readonly #buffers: readonly Uint8Array[]

  constructor({shape, slots, blockSize}: HostPagedKvOptions) {
    const {layers, kvSize, heads, headSize, dtype} = shape
    this.shape = shape
    this.slots = slots
    this.#rowBytes = heads * headSize * DTYPES[dtype].bytes
    const blocks = slots / blockSize
    const layerShape =
      kvSize === 1 ? [blocks, blockSize, heads * headSize] : [kvSize, blocks, blockSize, heads, headSize]
    this.layers = Array.from({length: layers}, (_, index) => ({
      name: `layer_${index}`,
      shape: layerShape,
      device: 'cpu',
    }))
    this.#buffers = this.layers.map((_, index) => pattern(kvSize * slots * this.#rowBytes, index))
  }

  gather(slots: ArrayLike<number>, into: Uint8Array): void {
    this.#copy(slots, (buffer, from, bytes, at) => {
      into.set(buffer.subarray(from, from + bytes), at)
    })
  }

  scatter(slots: ArrayLike<number>, from: Uint8Array): void {
    this.#copy(slots, (buffer, to, bytes, at) => {
      buffer.set(from.subarray(at, at + bytes), to)
    })
  }

  gatherLayer(layer: number, slots: ArrayLike<number>): Uint8Array {
    const {kvSize} = this.shape
    const buffer = this.#buffers[layer]!
    const rows = new Uint8Array(kvSize * slots.length * this.#rowBytes)
    let at = 0
    for (let kv = 0; kv < kvSize; kv++) {
      for (const [first, count] of runsOf(slots)) {
        const start = (kv * this.slots + first) * this.#rowBytes
        rows.set(buffer.subarray(start, start + count * this.#rowBytes), at)
        at += count * this.#rowBytes
      }
    }
    return rows
  }

  #copy(
    slots: ArrayLike<number>,
    move: (buffer: Uint8Array, inBuffer: number, bytes: number, inObject: number) => void,
  ): void {
    const runs = runsOf(slots)
    let at = 0
    for (let kv = 0; kv < this.shape.kvSize; kv++) {
      for (const buffer of this.#buffers) {
        for (const [first, count] of runs) {
          const bytes = count * this.#rowBytes
          move(buffer, (kv * this.slots + first) * this.#rowBytes, bytes, at)
          at += bytes
        }
      }
    }
  }
}

function pattern(bytes: number, layer: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4))
  for (let index = 0; index < words.length; index++) words[index] = mixBits(index + layer * 0x9e3779b9)
  return new Uint8Array(words.buffer, 0, bytes)
}
