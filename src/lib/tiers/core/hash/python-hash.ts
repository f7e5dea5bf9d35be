import {sipHash} from './sip-hash.js'

/** How CPython hashes strings: `siphash13` since 3.11, `siphash24` before. */
export const PYTHON_HASH_VARIANTS = ['siphash13', 'siphash24'] as const
export type PythonHashVariant = (typeof PYTHON_HASH_VARIANTS)[number]

/** `hash(())`, the same in every CPython since 3.8. */
export const EMPTY_TUPLE_HASH = 5740354900026072187n

/**
 * `hash(text)` in a CPython that was started with `PYTHONHASHSEED=seed`: signed 64 bits, never −1. The text is ASCII.
 *
 * @see python/cpython:Python/bootstrap_hash.c and Python/pyhash.c
 */
export function pythonStringHash(text: string, seed: number, variant: PythonHashVariant): bigint {
  if (text === '') return 0n
  const rounds = variant === 'siphash13' ? ([1, 3] as const) : ([2, 4] as const)
  const hash = BigInt.asIntN(64, sipHash(Buffer.from(text, 'latin1'), sipKey(seed), rounds))
  return hash === -1n ? -2n : hash
}

/** The first 16 bytes of CPython's generator, or zeros for seed 0. */
function sipKey(seed: number): [bigint, bigint] {
  const bytes = Buffer.alloc(16)
  let state = seed >>> 0
  if (seed !== 0) {
    for (let index = 0; index < bytes.length; index++) {
      state = (Math.imul(state, 214013) + 2531011) >>> 0
      bytes[index] = (state >>> 16) & 0xff
    }
  }
  return [bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8)]
}
