import {ConfigurationError} from '../foundation/index.js'
import {DTYPES, isDtype} from './core/dtypes.js'
import {PYTHON_HASH_VARIANTS, type PythonHashVariant} from './core/hash/python-hash.js'
import type {KvShape} from './core/memory-format.js'

/** Who a worker is: model, place among the ranks and shape of its KV cache, all of which stand in its keys and chunks. */
export interface WorkerIdentity {
  readonly model: string
  readonly servedModel: string | null
  readonly worldSize: number
  readonly workerId: number
  readonly shape: KvShape
  readonly slots: number
  readonly blockSize: number
  /** `PYTHONHASHSEED` of the workers with which keys are shared. */
  readonly hashSeed: string | null
  readonly hashVariant: PythonHashVariant
  readonly keepsHashBytes: boolean
}

/** 4 layers of 2 heads: 2 KiB a token, 512 KiB a chunk, 8 MiB in all. */
export const DEFAULT_IDENTITY: WorkerIdentity = {
  model: 'kvctl/embedded',
  servedModel: null,
  worldSize: 1,
  workerId: 0,
  shape: {layers: 4, kvSize: 2, heads: 2, headSize: 64, dtype: 'bfloat16'},
  slots: 4096,
  blockSize: 16,
  hashSeed: null,
  hashVariant: 'siphash13',
  keepsHashBytes: false,
}

const MAX_BUFFER_BYTES = 2 ** 33

/**
 * `extra_config.kvctl`: model_name, world_size, worker_id, dtype, layers, heads, head_size, use_mla, slots, block_size,
 * hash_seed, python_hash and hash_bytes, each with a default. It makes the embedded worker stand in for a real one, whose
 * chunks it then reads.
 *
 * @throws ConfigurationError `CACHE_CONFIG_INVALID`
 */
export function identityOf(
  extra: Readonly<Record<string, unknown>>,
  usual = DEFAULT_IDENTITY,
): WorkerIdentity {
  const asked: unknown = extra['kvctl'] ?? {}
  if (typeof asked !== 'object' || asked === null) throw invalid('kvctl', asked, 'keys and values')
  const read = new Map(Object.entries(asked))
  const take = <T>(name: string, otherwise: T, isRight: (value: unknown) => boolean, what: string): T => {
    const value: unknown = read.get(name) ?? otherwise
    read.delete(name)
    if (!isRight(value)) throw invalid(name, value, what)
    return value as T
  }
  const isCount = (least: number) => (value: unknown) =>
    Number.isSafeInteger(value) && (value as number) >= least
  const count = (name: string, otherwise: number, least = 1): number =>
    take(name, otherwise, isCount(least), `a whole number of at least ${least}`)
  const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
  const isFlag = (value: unknown): boolean => typeof value === 'boolean'
  const identity: WorkerIdentity = {
    model: take('model_name', usual.model, isText, 'a text'),
    servedModel: take(
      'served_model_name',
      usual.servedModel,
      value => value === null || isText(value),
      'a text',
    ),
    worldSize: count('world_size', usual.worldSize),
    workerId: count('worker_id', usual.workerId, 0),
    shape: {
      layers: count('layers', usual.shape.layers),
      kvSize: take('use_mla', usual.shape.kvSize === 1, isFlag, 'true or false') ? 1 : 2,
      heads: count('heads', usual.shape.heads),
      headSize: count('head_size', usual.shape.headSize),
      dtype: take(
        'dtype',
        usual.shape.dtype,
        value => isText(value) && isDtype(value as string),
        Object.keys(DTYPES).join(', '),
      ),
    },
    slots: count('slots', usual.slots),
    blockSize: count('block_size', usual.blockSize),
    hashSeed: take('hash_seed', usual.hashSeed, value => value === null || isText(value), 'a text'),
    hashVariant: take('python_hash', usual.hashVariant, isVariant, PYTHON_HASH_VARIANTS.join(' or ')),
    keepsHashBytes: take('hash_bytes', usual.keepsHashBytes, isFlag, 'true or false'),
  }
  const [unknown] = read.keys()
  if (unknown !== undefined) throw invalid(unknown, read.get(unknown), 'a key that is known')
  const {layers, kvSize, heads, headSize, dtype} = identity.shape
  const bytes = layers * kvSize * heads * headSize * DTYPES[dtype].bytes * identity.slots
  if (bytes > MAX_BUFFER_BYTES) throw invalid('slots', identity.slots, 'a paged buffer of at most 8 GiB')
  if (identity.slots % identity.blockSize !== 0)
    throw invalid('slots', identity.slots, 'a multiple of block_size')
  return identity
}

function isVariant(value: unknown): boolean {
  return PYTHON_HASH_VARIANTS.includes(value as PythonHashVariant)
}

function invalid(name: string, value: unknown, what: string): ConfigurationError {
  return new ConfigurationError(
    'CACHE_CONFIG_INVALID',
    `extra_config.kvctl.${name} is ${JSON.stringify(value)}; it takes ${what}`,
  )
}
