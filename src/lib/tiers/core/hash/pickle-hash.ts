import {createHash} from 'node:crypto'

/** Opcodes of pickle protocol 5. @see python/cpython:Lib/pickle.py */
const OP = {
  proto: 0x80,
  frame: 0x95,
  stop: 0x2e,
  mark: 0x28,
  tuple: 0x74,
  tuple1: 0x85,
  emptyTuple: 0x29,
  memoize: 0x94,
  int1: 0x4b,
  int2: 0x4d,
  int4: 0x4a,
  long1: 0x8a,
  shortBytes: 0x43,
  shortText: 0x8c,
} as const
const FRAME_HEAD_BYTES = 9
/** The C pickler closes a frame at the first end of an object beyond this. */
const FRAME_TARGET_BYTES = 64 * 1024
const FRAME_LEAST_BYTES = 4

/** SHA-256 of `pickle.dumps((previous, (token, …), ()), protocol=5)`. @see vllm-project/vllm:vllm/utils/hashing.py — sha256 */
export function pickleChunkHash(
  previous: bigint | Uint8Array,
  tokens: ArrayLike<number>,
  start: number,
  end: number,
): Buffer {
  const writer = new PickleWriter(128 + (end - start) * 16)
  if (typeof previous === 'bigint') writer.integer(previous)
  else writer.bytes(previous)
  writer.numbers(tokens, start, end)
  writer.emptyTuple()
  writer.closeTuple(3)
  return writer.sha256()
}

/** SHA-256 of a pickled text of less than 256 bytes. */
export function pickleTextHash(text: string): Buffer {
  const writer = new PickleWriter(512)
  writer.text(text)
  return writer.sha256()
}

class PickleWriter {
  readonly #buffer: Buffer
  #at = 2
  /** Where the open frame's head lies; null between frames. */
  #frameAt: number | null = null

  constructor(capacity: number) {
    // Room for the heads of frames.
    this.#buffer = Buffer.allocUnsafe(
      capacity + FRAME_HEAD_BYTES * (2 + Math.ceil(capacity / FRAME_TARGET_BYTES)),
    )
    this.#buffer[0] = OP.proto
    this.#buffer[1] = 5
  }

  integer(value: bigint): void {
    if (value >= -(2n ** 31n) && value < 2n ** 31n) this.#small(Number(value))
    else {
      const digits: number[] = []
      let rest = value
      do {
        digits.push(Number(BigInt.asUintN(8, rest)))
        rest >>= 8n
      } while (!((rest === 0n && digits.at(-1)! < 0x80) || (rest === -1n && digits.at(-1)! >= 0x80)))
      this.#open()
      this.#write(OP.long1, digits.length, ...digits)
    }
    this.#boundary()
  }

  bytes(value: Uint8Array): void {
    this.#open()
    this.#write(OP.shortBytes, value.length)
    this.#buffer.set(value, this.#at)
    this.#at += value.length
    this.#write(OP.memoize)
    this.#boundary()
  }

  text(value: string): void {
    const bytes = Buffer.from(value, 'utf8')
    this.#open()
    this.#write(OP.shortText, bytes.length)
    this.#buffer.set(bytes, this.#at)
    this.#at += bytes.length
    this.#write(OP.memoize)
    this.#boundary()
  }

  numbers(tokens: ArrayLike<number>, start: number, end: number): void {
    const count = end - start
    if (count === 0) {
      this.emptyTuple()
      return
    }
    if (count > 3) {
      this.#open()
      this.#write(OP.mark)
    }
    for (let index = start; index < end; index++) {
      const token = tokens[index]!
      if (token >= -(2 ** 31) && token < 2 ** 31) {
        this.#small(token)
        this.#boundary()
      } else this.integer(BigInt(token))
    }
    this.closeTuple(count)
  }

  emptyTuple(): void {
    this.#open()
    this.#write(OP.emptyTuple)
    this.#boundary()
  }

  closeTuple(count: number): void {
    this.#open()
    this.#write(count > 3 ? OP.tuple : OP.tuple1 + count - 1, OP.memoize)
    this.#boundary()
  }

  sha256(): Buffer {
    this.#open()
    this.#write(OP.stop)
    this.#closeFrame()
    return createHash('sha256').update(this.#buffer.subarray(0, this.#at)).digest()
  }

  #small(value: number): void {
    this.#open()
    if (value >= 0 && value < 2 ** 8) this.#write(OP.int1, value)
    else if (value >= 0 && value < 2 ** 16) this.#write(OP.int2, value & 0xff, value >> 8)
    else {
      this.#write(OP.int4)
      this.#at = this.#buffer.writeInt32LE(value, this.#at)
    }
  }

  #write(...bytes: number[]): void {
    for (const byte of bytes) this.#buffer[this.#at++] = byte
  }

  #open(): void {
    if (this.#frameAt !== null) return
    this.#frameAt = this.#at
    this.#at += FRAME_HEAD_BYTES
  }

  #boundary(): void {
    if (this.#frameAt !== null && this.#at - this.#frameAt - FRAME_HEAD_BYTES >= FRAME_TARGET_BYTES)
      this.#closeFrame()
  }

  #closeFrame(): void {
    if (this.#frameAt === null) return
    const length = this.#at - this.#frameAt - FRAME_HEAD_BYTES
    if (length >= FRAME_LEAST_BYTES) {
      this.#buffer[this.#frameAt] = OP.frame
      this.#buffer.writeBigUInt64LE(BigInt(length), this.#frameAt + 1)
    } else {
      this.#buffer.copyWithin(this.#frameAt, this.#frameAt + FRAME_HEAD_BYTES, this.#at)
      this.#at -= FRAME_HEAD_BYTES
    }
    this.#frameAt = null
  }
}
