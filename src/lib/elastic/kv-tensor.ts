import type {Reservation} from '../memory/index.js'
import {elementsOf, itemBytesOf, type DType, type Elements} from './dtype.js'
import type {StridedView} from './kv-layout.js'

/**
 * A view of KV memory with a shape, as torch's tensors have it. It owns nothing and copies on every access, so that no
 * JavaScript object outlives the memory: what lies on a page without memory, or on pages that were given back by
 * `shutdownKvcached`, cannot be reached and throws. Pages come and go with the blocks of the pool's manager; elements of a
 * block are there from its `alloc` to its `free`.
 */
export class KvTensor {
  readonly shape: readonly number[]
  /** In elements. */
  readonly strides: readonly number[]
  readonly dtype: DType
  /** `cpu` or `cuda:N`. */
  readonly device: string
  /** Of the first element, from the start of the tensor's range of addresses. */
  readonly byteOffset: number
  readonly #memory: Reservation

  constructor(memory: Reservation, dtype: DType, device: string, view: Omit<StridedView, 'range'>) {
    this.#memory = memory
    this.dtype = dtype
    this.device = device
    this.shape = view.shape
    this.strides = view.strides
    this.byteOffset = view.byteOffset
  }

  /** Address of the first element: of this process, or on the GPU. Nothing keeps it valid. */
  get dataPointer(): bigint {
    return this.#memory.address + BigInt(this.byteOffset)
  }

  /** The part at these indices of the first dimensions, as `tensor[a, b]` in Python. @throws RangeError */
  at(...index: readonly number[]): KvTensor {
    const {shape, strides, dtype} = this
    const byteOffset = this.byteOffset + this.#elementsBefore(index) * itemBytesOf(dtype)
    const view = {byteOffset, shape: shape.slice(index.length), strides: strides.slice(index.length)}
    return new KvTensor(this.#memory, dtype, this.device, view)
  }

  /**
   * All elements, row by row; float16, bfloat16 and float8 as their bits.
   *
   * @throws RangeError when any of them has no memory
   */
  read(): Elements {
    const {runBytes, offsets} = this.#runs()
    const bytes = new Uint8Array(offsets.length * runBytes)
    this.#memory.gather(offsets, offsets.length, runBytes, bytes)
    return elementsOf(this.dtype, bytes)
  }

  /**
   * Writes all elements, in the order and form of {@link read}.
   *
   * @throws RangeError when any of them has no memory, or the number is not the tensor's; then nothing is written
   */
  write(elements: Elements): void {
    const {runBytes, offsets} = this.#runs()
    const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength)
    if (bytes.length !== offsets.length * runBytes) {
      throw new RangeError(
        `${bytes.length} bytes for ${offsets.length * runBytes} of shape (${this.shape.join(', ')})`,
      )
    }
    this.#memory.scatter(offsets, offsets.length, runBytes, bytes)
    this.#memory.settle()
  }

  /** Stretches of elements that lie side by side, in order, by where they begin. */
  #runs(): {runBytes: number; offsets: number[]} {
    const itemBytes = itemBytesOf(this.dtype)
    let dimension = this.shape.length
    let elements = 1
    while (dimension > 0 && this.strides[dimension - 1] === elements) elements *= this.shape[--dimension]!
    const offsets: number[] = []
    const walk = (at: number, offset: number): void => {
      if (at === dimension) offsets.push(offset)
      else
        for (let index = 0; index < this.shape[at]!; index++)
          walk(at + 1, offset + index * this.strides[at]! * itemBytes)
    }
    walk(0, this.byteOffset)
    return {runBytes: elements * itemBytes, offsets}
  }

  #elementsBefore(index: readonly number[]): number {
    if (index.length > this.shape.length)
      throw new RangeError(`${index.length} indices of ${this.shape.length}`)
    return index.reduce((sum, value, dimension) => {
      if (Number.isInteger(value) && value >= 0 && value < this.shape[dimension]!) {
        return sum + value * this.strides[dimension]!
      }
      throw new RangeError(
        `index ${value} of dimension ${dimension}, whose size is ${this.shape[dimension]!}`,
      )
    }, 0)
  }
}
