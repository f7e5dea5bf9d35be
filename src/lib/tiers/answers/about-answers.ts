import {parseLogLevel} from '../../foundation/index.js'
import {DTYPES} from '../core/dtypes.js'
import type {EmbeddedWorker} from '../embedded-worker.js'
import {failure, messageOf, parameter, type CacheInput, type CacheReply} from './reply.js'

export function lmcVersion({version}: EmbeddedWorker): CacheReply {
  return {status: 200, body: versionText(version)}
}

/** Empty: there is no git in an installed package. */
export function commitId(): CacheReply {
  return {status: 200, body: ''}
}

export function fullVersion({version}: EmbeddedWorker): CacheReply {
  return {status: 200, body: `${versionText(version)}-NA`}
}

export function inferenceVersion({version}: EmbeddedWorker): CacheReply {
  return {status: 200, body: {vllm_version: versionText(version)}}
}

/** `GET /inference_info`: what a worker without an engine can say; the rest is null. */
export function inferenceInfo({identity, kv, version}: EmbeddedWorker): CacheReply {
  const {layers, heads, headSize, dtype} = kv.shape
  return {
    status: 200,
    body: {
      vllm_version: versionText(version),
      lmcache_version: versionText(version),
      vllm_config: null,
      model_config: {
        model: identity.model,
        dtype: DTYPES[dtype].torch,
        ...{max_model_len: kv.slots, vocab_size: null, num_layers: layers},
        ...{num_attention_heads: null, num_kv_heads: heads, head_size: headSize},
      },
      cache_config: {
        block_size: identity.blockSize,
        cache_dtype: DTYPES[dtype].torch,
        ...{gpu_memory_utilization: null, swap_space: null, enable_prefix_caching: null},
      },
    },
  }
}

export function getConf({settings}: EmbeddedWorker, input: CacheInput): CacheReply {
  return {status: 200, body: settings.shown(namesIn(input))}
}

/** `POST /conf`: good keys count, and any bad one makes it 400. */
export function setConf({settings, logger}: EmbeddedWorker, {body}: CacheInput): CacheReply {
  let asked: unknown
  try {
    asked = JSON.parse(body)
  } catch (error) {
    return failure(400, 'Invalid JSON body', messageOf(error))
  }
  if (typeof asked !== 'object' || asked === null || Array.isArray(asked))
    return {status: 400, body: {error: 'Request body must be a JSON object'}}
  const {updated, errors} = settings.change(asked as Record<string, unknown>)
  for (const name of settings.inert()) {
    if (name in updated) logger.warn(`cache setting '${name}' is known and has no effect in kvctl`)
  }
  const isWhole = Object.keys(errors).length === 0
  return isWhole ? {status: 200, body: {updated}} : {status: 400, body: {updated, errors}}
}

/** `GET /meta`, keys in alphabetical order. */
export function getMeta({identity, kv, chunkTokens}: EmbeddedWorker, input: CacheInput): CacheReply {
  const {layers, kvSize, heads, headSize, dtype} = kv.shape
  const all: Record<string, unknown> = {
    chunk_size: chunkTokens,
    engine_id: null,
    first_rank: 0,
    kv_connector_extra_config: null,
    kv_dtype: DTYPES[dtype].torch,
    kv_layer_groups_manager: null,
    kv_shape: [layers, kvSize, chunkTokens, heads, headSize],
    local_worker_id: identity.workerId,
    local_world_size: identity.worldSize,
    model_name: identity.model,
    role: 'worker',
    served_model_name: identity.servedModel,
    use_mla: kvSize === 1,
    worker_id: identity.workerId,
    world_size: identity.worldSize,
  }
  const names = namesIn(input)
  const some = Object.entries(all).filter(([name]) => names?.includes(name) ?? true)
  return {status: 200, body: Object.fromEntries(some)}
}

export function lookupInfo(): CacheReply {
  return {
    status: 200,
    body: {client: 'ChunkStatisticsLookupClient(EmbeddedLookupClient)', server: 'None', role: 'worker'},
  }
}

const LEVEL_NAMES = {debug: 'DEBUG', info: 'INFO', warn: 'WARNING', error: 'ERROR'} as const

/** `GET /loglevel`: one logger speaks for the whole process, whatever name it is called by. */
export function logLevel({logger}: EmbeddedWorker, input: CacheInput): CacheReply {
  const name = parameter(input, 'logger_name')
  const asked = parameter(input, 'level')
  const now = (): string => LEVEL_NAMES[logger.level ?? 'info']
  if (!name) return {status: 200, body: `=== Loggers and Levels ===\nkvctl: ${now()}\n`}
  if (!asked) return {status: 200, body: `${name}: ${now()}`}
  const level = parseLogLevel(asked)
  if (level === null) return {status: 400, body: `Invalid log level: ${asked}`}
  logger.level = level
  return {status: 200, body: `Set ${name} level to ${now()} (including all handlers)`}
}

function namesIn(input: CacheInput): readonly string[] | null {
  const names = parameter(input, 'names')
  return names ? names.split(',').map(name => name.trim()) : null
}

function versionText(version: string): string {
  return `${version}+kvctl`
}
