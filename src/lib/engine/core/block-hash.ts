import {createHash, randomBytes} from 'node:crypto'
import {CBOR_TYPE, writeCborHead} from '../../foundation/index.js'

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
  let at = writeCborHead(scratch, 0, ARRAY, 3)
  at = writeCborHead(scratch, at, BYTES, parentHex.length / 2)
  at += scratch.write(parentHex, at, 'hex')
  at = writeCborHead(scratch, at, ARRAY, end - start)
  for (let index = start; index < end; index++) at = writeCborHead(scratch, at, UNSIGNED, tokens[index]!)
  const body = scratch.subarray(0, at)
  return sha256(extra === null ? Buffer.concat([body, NULL]) : Buffer.concat([body, ...cborTexts(extra)]))
}

const {UNSIGNED, BYTES, TEXT, ARRAY} = CBOR_TYPE
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
  return bytes.subarray(0, writeCborHead(bytes, 0, major, value))
}
