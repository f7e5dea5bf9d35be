import {ConfigurationError} from '../../foundation/index.js'
import {isDtype, type Dtype} from './dtypes.js'

/** Which form a key has: 1 `fmt@model@ws@wid@hash`, 2 with `@dtype` behind, 3 without `fmt`, today's. */
export type KeyGeneration = 1 | 2 | 3

/** The name of a chunk in every tier, taken apart. */
export interface CacheKey {
  readonly generation: KeyGeneration
  readonly model: string
  readonly worldSize: number
  readonly workerId: number
  /** Hexadecimal as it stands in the key: negative hashes begin with `-`. */
  readonly hash: string
  /** Null in generation 1. */
  readonly dtype: Dtype | null
  /** Only where layers are stored one by one. */
  readonly layerId: number | null
  readonly tags: readonly (readonly [name: string, value: string])[]
}

const FORMATS = ['vllm', 'sglang']
const HASH = /^-?[0-9a-f]+$/i
const NUMBER = /^\d+$/

/** @throws ConfigurationError `CACHE_KEY_INVALID` for tags that could not be read back */
export function formatKey(key: CacheKey): string {
  const {generation, model, worldSize, workerId, hash, dtype, layerId, tags} = key
  const parts: (string | number)[] = [model, worldSize, workerId, hash]
  if (generation < 3) parts.unshift('vllm')
  if (generation > 1 && dtype !== null) parts.push(dtype)
  if (layerId !== null) parts.push(layerId)
  for (const [name, value] of tags) {
    if (name === '' || /[@%]/.test(name) || value.includes('@')) {
      throw new ConfigurationError('CACHE_KEY_INVALID', `tag '${name}%${value}' cannot stand in a cache key`)
    }
    parts.push(`${name}%${value}`)
  }
  return parts.join('@')
}

/**
 * Takes a key apart, from the right, so that a model's name may hold `@`.
 *
 * @returns null when it is none
 * @see LMCache/LMCache:lmcache/utils.py — CacheEngineKey.from_string
 */
export function parseKey(text: string): CacheKey | null {
  const parts = text.split('@')
  const dtypeAt = parts.findLastIndex(
    (part, index) => isDtype(part) && index >= 4 && isIdentity(parts, index - 1),
  )
  if (dtypeAt < 0) return parseFirstGeneration(parts)
  const [layer, ...rest] = parts.slice(dtypeAt + 1)
  const hasLayer = layer !== undefined && NUMBER.test(layer)
  const tags = (hasLayer || layer === undefined ? rest : [layer, ...rest]).map(tagOf)
  if (!tags.every(tag => tag !== null)) return null
  const names = parts.slice(0, dtypeAt - 3)
  const isOld = names.length > 1 && FORMATS.includes(names[0]!)
  return {
    ...identityOf(parts, dtypeAt - 1),
    generation: isOld ? 2 : 3,
    model: (isOld ? names.slice(1) : names).join('@'),
    dtype: parts[dtypeAt] as Dtype,
    layerId: hasLayer ? Number(layer) : null,
    tags,
  }
}

/** The names under which older workers stored what `key` names. */
export function olderNames(key: CacheKey): string[] {
  if (key.generation < 3 || key.layerId !== null || key.tags.length > 0) return []
  return [formatKey({...key, generation: 2}), formatKey({...key, generation: 1, dtype: null})]
}

function parseFirstGeneration(parts: readonly string[]): CacheKey | null {
  const hashAt = parts.length - 1
  if (parts.length < 5 || !FORMATS.includes(parts[0]!) || !isIdentity(parts, hashAt)) return null
  return {
    ...identityOf(parts, hashAt),
    ...{generation: 1, model: parts.slice(1, hashAt - 2).join('@'), dtype: null, layerId: null, tags: []},
  }
}

/** Whether world size, worker id and hash end at `hashAt`. */
function isIdentity(parts: readonly string[], hashAt: number): boolean {
  return HASH.test(parts[hashAt]!) && NUMBER.test(parts[hashAt - 1]!) && NUMBER.test(parts[hashAt - 2]!)
}

function identityOf(
  parts: readonly string[],
  hashAt: number,
): Pick<CacheKey, 'worldSize' | 'workerId' | 'hash'> {
  return {
    worldSize: Number(parts[hashAt - 2]),
    workerId: Number(parts[hashAt - 1]),
    hash: parts[hashAt]!.toLowerCase(),
  }
}

function tagOf(text: string): [string, string] | null {
  const at = text.indexOf('%')
  return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : null
}
