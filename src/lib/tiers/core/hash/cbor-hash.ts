import {createHash} from 'node:crypto'
import {CBOR_TYPE, writeCborHead} from '../../../foundation/index.js'

const {UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY} = CBOR_TYPE

let scratch = Buffer.allocUnsafe(4096)

/**
 * SHA-256 of the canonical CBOR of `[previous, [token…], []]`.
 *
 * @param previous a number where hashes are folded to 64 bits, 32 bytes where they are kept whole
 * @see vllm-project/vllm:vllm/utils/hashing.py — sha256_cbor
 */
export function cborChunkHash(
  previous: bigint | Uint8Array,
  tokens: ArrayLike<number>,
  start: number,
  end: number,
): Buffer {
  const capacity = 64 + (end - start) * 9
  if (scratch.length < capacity) scratch = Buffer.allocUnsafe(capacity * 2)
  let at = writeCborHead(scratch, 0, ARRAY, 3)
  if (typeof previous === 'bigint') at = writeInteger(scratch, at, previous)
  else {
    at = writeCborHead(scratch, at, BYTES, previous.length)
    scratch.set(previous, at)
    at += previous.length
  }
  at = writeCborHead(scratch, at, ARRAY, end - start)
  for (let index = start; index < end; index++) {
    const token = tokens[index]!
    at =
      token >= 0
        ? writeCborHead(scratch, at, UNSIGNED, token)
        : writeCborHead(scratch, at, NEGATIVE, -1 - token)
  }
  at = writeCborHead(scratch, at, ARRAY, 0)
  return sha256(scratch.subarray(0, at))
}

/** SHA-256 of a text in CBOR: what a chain begins with. */
export function cborTextHash(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  const head = Buffer.allocUnsafe(9)
  return sha256(Buffer.concat([head.subarray(0, writeCborHead(head, 0, TEXT, bytes.length)), bytes]))
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function writeInteger(into: Buffer, at: number, value: bigint): number {
  const [type, rest] = value < 0n ? [NEGATIVE, -1n - value] : [UNSIGNED, value]
  if (rest < 2n ** 32n) return writeCborHead(into, at, type, Number(rest))
  return into.writeBigUInt64BE(rest, into.writeUInt8((type << 5) | 27, at))
}
