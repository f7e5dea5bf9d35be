import {createHash, randomBytes} from 'node:crypto'

/** 32 random bytes, or those of a seed string where processes have to agree. */
export function noneHash(seed: string | null): string {
  if (seed === null) return randomBytes(32).toString('hex')
  const text = Buffer.from(seed, 'utf8')
  return sha256(Buffer.concat([head(TEXT, text.length), text]))
}

/**
 * Hash of one full block, chained: SHA-256 of the canonical CBOR of `[parent, [token…], extra]`.
 *
 * @param parentHex the hash of the block before, or {@link noneHash}
 * @param extra LoRA name, cache salt (first block only); null when there is nothing
 * @returns 64 hexadecimal digits
 * @see vllm-project/vllm:vllm/v1/core/kv_cache_utils.py — algorithm `sha256_cbor`
 */
export function blockHash(
  parentHex: string,
  tokens: readonly number[],
  start: number,
  end: number,
  extra: readonly string[] | null,
): string {
  const capacity = 64 + (end - start) * 9
  if (scratch.length < capacity) scratch = Buffer.allocUnsafe(capacity * 2)
  let at = writeHead(scratch, 0, ARRAY, 3)
  at = writeHead(scratch, at, BYTES, parentHex.length / 2)
  at += scratch.write(parentHex, at, 'hex')
  at = writeHead(scratch, at, ARRAY, end - start)
  for (let index = start; index < end; index++) at = writeHead(scratch, at, UNSIGNED, tokens[index]!)
  const body = scratch.subarray(0, at)
  return sha256(extra === null ? Buffer.concat([body, NULL]) : Buffer.concat([body, ...cborTexts(extra)]))
}

const UNSIGNED = 0
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const NULL = Buffer.from([0xf6])

let scratch = Buffer.allocUnsafe(1024)

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function cborTexts(texts: readonly string[]): Buffer[] {
  return [
    head(ARRAY, texts.length),
    ...texts.flatMap(text => {
      const bytes = Buffer.from(text, 'utf8')
      return [head(TEXT, bytes.length), bytes]
    }),
  ]
}

function head(major: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(9)
  return bytes.subarray(0, writeHead(bytes, 0, major, value))
}

/** The shortest form of a CBOR head (RFC 8949 §3). @returns where it ends */
function writeHead(into: Buffer, at: number, major: number, value: number): number {
  const type = major << 5
  if (value < 24) return into.writeUInt8(type | value, at)
  if (value < 2 ** 8) return into.writeUInt8(value, into.writeUInt8(type | 24, at))
  if (value < 2 ** 16) return into.writeUInt16BE(value, into.writeUInt8(type | 25, at))
  if (value < 2 ** 32) return into.writeUInt32BE(value, into.writeUInt8(type | 26, at))
  return into.writeBigUInt64BE(BigInt(value), into.writeUInt8(type | 27, at))
}
