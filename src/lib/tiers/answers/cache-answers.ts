import {hasChecksum} from '../core/kv-checksum.js'
import {compressSlots, intComplaint, parseSlots, pythonInteger} from '../core/slot-list.js'
import {DTYPES} from '../core/dtypes.js'
import type {EmbeddedWorker} from '../embedded-worker.js'
import {FsConfigRefused, loadFsChunks} from '../load-fs-chunks.js'
import {
  done,
  failure,
  messageOf,
  notBoolean,
  notInteger,
  parameter,
  truth,
  unprocessable,
  type CacheInput,
  type CacheReply,
} from './reply.js'

/** `DELETE /cache/clear`; chunk counts per tier stand beside upstream's sum of tokens. */
export async function clear(worker: EmbeddedWorker, {query}: CacheInput): Promise<CacheReply> {
  try {
    const locations = query['locations']?.flatMap(text => text.split(',')).map(name => name.trim()) ?? null
    const {byTier, tokens, chunks, pinnedChunks} = await worker.clear(locations)
    return done({
      num_removed: tokens,
      num_chunks_removed: chunks,
      by_backend: Object.fromEntries([...byTier].map(([name, cleared]) => [name, cleared.tokens])),
      skipped_pinned: pinnedChunks,
    })
  } catch (error) {
    return failure(500, 'Failed to clear cache', messageOf(error))
  }
}

/** `POST /cache/store?tokens_mock=start,end`: KV of slots 0 to n − 1. */
export async function store(worker: EmbeddedWorker, input: CacheInput): Promise<CacheReply> {
  const mock = mockTokens(worker, input)
  if ('status' in mock) return mock
  try {
    const {tokens, slots} = mock
    const {storedTokens} = worker.storeTokens(tokens, slots, 'cache_api_store')
    return done({num_tokens: tokens.length, num_stored: storedTokens})
  } catch (error) {
    return failed('Failed to store cache', error)
  }
}

/** `POST /cache/retrieve?tokens_mock=start,end`: into slots 0 to n − 1. */
export async function retrieve(worker: EmbeddedWorker, input: CacheInput): Promise<CacheReply> {
  const mock = mockTokens(worker, input)
  if ('status' in mock) return mock
  if (worker.kv.isReadOnly === true) {
    return failure(
      409,
      'Failed to retrieve cache',
      'the pages belong to a running engine, which loads stored prefixes itself: send it the prompt, or retrieve with a kvctl serve that has the same cache settings',
    )
  }
  try {
    const {tokens, slots} = mock
    const retrieved = await worker.retrieveTokens(tokens, slots, 'cache_api_retrieve')
    return done({num_tokens: tokens.length, num_retrieved: retrieved})
  } catch (error) {
    return failed('Failed to retrieve cache', error)
  }
}

/** `GET /cache/kvcache/check`; the checks stand in upstream's order. */
export function check(worker: EmbeddedWorker, input: CacheInput): CacheReply {
  const [mapping, chunkText, layerText] = ['slot_mapping', 'chunk_size', 'layerwise'].map(name =>
    parameter(input, name),
  )
  const chunkSize = chunkText === null || chunkText === undefined ? null : pythonInteger(chunkText)
  if (typeof chunkText === 'string' && chunkSize === null)
    return notInteger(['query', 'chunk_size'], chunkText)
  const isLayerwise = typeof layerText === 'string' ? truth(layerText) : false
  if (isLayerwise === null) return notBoolean('layerwise', layerText!)
  if (!mapping) return failure(400, 'Missing parameters', 'slot_mapping parameter is required')
  const slots = parseSlots(mapping)
  if (typeof slots === 'string') {
    return failure(
      400,
      'Invalid slot_mapping format',
      `slot_mapping must be comma-separated integers or ranges like [start,end]: ${slots}`,
    )
  }
  const {slots: total, shape} = worker.kv
  if (worker.kv.layers.length === 0) return noBuffers()
  const wrong = slots.filter(slot => slot < 0 || slot >= total)
  if (wrong.length > 0) {
    return failure(
      400,
      'Invalid slot indices',
      `Slot indices out of bounds: [${wrong.join(', ')}]. Valid range: 0 to ${total - 1}`,
    )
  }
  // A list that repeats slots must not be able to fill memory.
  if (slots.length > 4 * total) return failure(400, 'Invalid slot indices', `more than ${4 * total} slots`)
  if (chunkSize === null) return failure(400, 'Missing parameters', 'chunk_size parameter is required')
  if (chunkSize <= 0) return failure(400, 'Invalid chunk_size', 'chunk_size must be a positive integer')
  if (!hasChecksum(shape.dtype))
    return failure(500, 'Failed to check kvcache', `no checksum is defined for ${DTYPES[shape.dtype].torch}`)
  const {combined, byLayer} = worker.checksums(slots, chunkSize)
  return done({
    slot_mapping_ranges: compressSlots(slots),
    chunk_size: chunkSize,
    num_chunks: Math.ceil(slots.length / chunkSize),
    chunk_checksums: isLayerwise ? Object.fromEntries(byLayer) : combined,
    layerwise: isLayerwise,
  })
}

/** `POST /cache/kvcache/record_slot?enabled=`. */
export function recordSlot({slotLog}: EmbeddedWorker, input: CacheInput): CacheReply {
  const enabled = parameter(input, 'enabled')?.toLowerCase() ?? null
  if (enabled !== null && enabled !== 'true' && enabled !== 'false')
    return failure(400, 'Invalid parameter', "enabled must be 'true' or 'false'")
  if (enabled !== null) slotLog.isOn = enabled === 'true'
  return done({kvcache_check_log_enabled: slotLog.isOn})
}

/** `GET /cache/kvcache/slot_records`, ours: the last operations while recording was on. */
export function slotRecords({slotLog}: EmbeddedWorker): CacheReply {
  return done({
    kvcache_check_log_enabled: slotLog.isOn,
    records: slotLog.records.map(({time, operation, requestId, tokens, slots}) => ({
      ...{time, operation, request_id: requestId, tokens},
      slot_mapping_ranges: slots,
    })),
  })
}

/** `GET /cache/kvcache/info`. */
export function info({kv}: EmbeddedWorker): CacheReply {
  if (kv.layers.length === 0) return noBuffers()
  const {torch} = DTYPES[kv.shape.dtype]
  return done({
    num_layers: kv.layers.length,
    layers: Object.fromEntries(
      kv.layers.map(({name, shape, device}) => [name, {shape, dtype: torch, device}]),
    ),
  })
}

/** `POST /cache/load-fs-chunks`. */
export async function loadChunks(worker: EmbeddedWorker, {body}: CacheInput): Promise<CacheReply> {
  const read = loadRequest(body)
  if ('status' in read) return read
  const {configPath} = read
  const error = 'Failed to load chunks from FSConnector'
  const refuse = (status: number, message: string): CacheReply =>
    failure(status, error, message, {config_path: configPath, detail: message})
  if (!read.isForced && worker.store.isFrozen)
    return refuse(409, 'The cache is frozen; "force": true loads all the same')
  if (!read.isForced && !worker.store.cpu.isHot)
    return refuse(409, 'The hot cache is disabled; "force": true loads all the same')
  try {
    const {loadedChunks, totalFiles, failedKeys} = await loadFsChunks(worker, read)
    return done({
      ...{loaded_chunks: loadedChunks, total_files: totalFiles, failed_keys: failedKeys},
      config_path: configPath,
    })
  } catch (problem) {
    return refuse(problem instanceof FsConfigRefused ? 400 : 500, messageOf(problem))
  }
}

interface LoadBody {
  readonly configPath: string
  readonly maxChunks: number | null
  readonly maxFailedKeys: number
  readonly isForced: boolean
}

function loadRequest(text: string): LoadBody | CacheReply {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    return unprocessable(['body'], 'json_invalid', 'JSON decode error', messageOf(error))
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return unprocessable(['body'], 'model_attributes_type', 'Input should be a valid dictionary', body)
  const {
    config_path: path,
    max_chunks: chunks = null,
    max_failed_keys: failed = 10,
    force = false,
  } = body as Record<string, unknown>
  if (path === undefined) return unprocessable(['body', 'config_path'], 'missing', 'Field required', body)
  if (typeof path !== 'string')
    return unprocessable(['body', 'config_path'], 'string_type', 'Input should be a valid string', path)
  if (chunks !== null && !Number.isSafeInteger(chunks)) return notInteger(['body', 'max_chunks'], chunks)
  if (!Number.isSafeInteger(failed)) return notInteger(['body', 'max_failed_keys'], failed)
  return {
    configPath: path,
    maxChunks: chunks as number | null,
    maxFailedKeys: Math.max(0, failed as number),
    isForced: force === true,
  }
}

function mockTokens(
  {kv}: EmbeddedWorker,
  input: CacheInput,
): {readonly tokens: readonly number[]; readonly slots: readonly number[]} | CacheReply {
  const text = parameter(input, 'tokens_mock')
  if (!text) return failure(400, 'Missing parameters', 'Must specify either tokens_input or tokens_mock')
  const refuse = (why: string): CacheReply =>
    failure(400, 'Invalid tokens_mock format', `tokens_mock must be 'start,end': ${why}`)
  const parts = text.split(',')
  if (parts.length !== 2) return refuse('tokens_mock must contain exactly 2 numbers')
  const [start = null, end = null] = parts.map(pythonInteger)
  if (start === null) return refuse(intComplaint(parts[0]!))
  if (end === null) return refuse(intComplaint(parts[1]!))
  if (start >= end) return refuse('start must be less than end')
  const count = end - start
  if (count > kv.slots) {
    return failure(400, 'Too many tokens', `${count} tokens, but the paged buffer has ${kv.slots} slots`)
  }
  const slots = Array.from({length: count}, (_, index) => index)
  return {tokens: slots.map(slot => start + slot), slots}
}

function failed(what: string, error: unknown): CacheReply {
  const type = error instanceof Error ? error.name : typeof error
  return failure(500, what, messageOf(error), {exception_type: type})
}

function noBuffers(): CacheReply {
  return failure(404, 'kv_caches not available', 'kv_caches is empty or not initialized')
}
