import {randomBytes} from 'node:crypto'
import {cborChunkHash, cborTextHash} from './cbor-hash.js'
import {pickleChunkHash, pickleTextHash} from './pickle-hash.js'
import {EMPTY_TUPLE_HASH, pythonStringHash, type PythonHashVariant} from './python-hash.js'
import {tupleHash} from './tuple-hash.js'

/** As `pre_caching_hash_algorithm` names them; `sha256_cbor_64bit` is another name of `sha256_cbor`. */
export const HASH_ALGORITHMS = ['builtin', 'sha256_cbor', 'sha256_cbor_64bit', 'sha256'] as const
export type HashAlgorithm = (typeof HASH_ALGORITHMS)[number]

export interface ChunkHasherOptions {
  readonly algorithm: HashAlgorithm
  /** `PYTHONHASHSEED`, with which upstream's workers agree on keys; null begins `builtin` at 0 and the others at random. */
  readonly seed: string | null
  readonly variant: PythonHashVariant
  /** Whether SHA-256 is kept whole in keys and chain, as some revisions do, instead of its first 8 bytes. */
  readonly keepsBytes: boolean
}

/** A chunk's hash: a signed or unsigned 64-bit number, or 32 bytes. */
export type ChunkHash = bigint | Buffer

/** Hashes of chunks, each over its own tokens and the hash before it: equal hashes mean equal whole prefixes. */
export interface ChunkHasher {
  readonly start: ChunkHash
  next(previous: ChunkHash, tokens: ArrayLike<number>, start: number, end: number): ChunkHash
}

/** @see LMCache/LMCache:lmcache/v1/token_database.py — _hash_tokens and NONE_HASH */
export function createChunkHasher(options: ChunkHasherOptions): ChunkHasher {
  const {algorithm, seed, variant, keepsBytes} = options
  if (algorithm === 'builtin') {
    return {
      start: seed === null ? 0n : pythonStringHash(seed, seedNumber(seed), variant),
      next: (previous, tokens, start, end) =>
        tupleHash(previous as bigint, tokens, start, end, EMPTY_TUPLE_HASH),
    }
  }
  const [ofChunk, ofText] =
    algorithm === 'sha256' ? [pickleChunkHash, pickleTextHash] : [cborChunkHash, cborTextHash]
  const settle = (digest: Buffer): ChunkHash => (keepsBytes ? digest : digest.readBigUInt64BE(0))
  return {
    start: settle(seed === null ? randomBytes(32) : ofText(seed)),
    next: (previous, tokens, start, end) => settle(ofChunk(previous, tokens, start, end)),
  }
}

/** A hash as keys show it: hexadecimal without padding, negative numbers as `-` and magnitude. */
export function hashText(hash: ChunkHash): string {
  return typeof hash === 'bigint' ? hash.toString(16) : hash.toString('hex')
}

/** CPython reads the seed of its own strings from the same variable; `random` and nonsense count as 0. */
function seedNumber(seed: string): number {
  return /^\d+$/.test(seed) ? Number(seed) : 0
}
