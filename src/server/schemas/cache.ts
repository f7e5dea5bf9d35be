import {z} from 'zod'
import type {CacheOperation} from '../../lib/tiers/index.js'
import {answer, integer, jsonSchema} from './json-schema.js'
import {problems} from './problem.js'

interface RouteText {
  readonly summary: string
  readonly query?: z.ZodType
  readonly params?: z.ZodType
  readonly body?: z.ZodType
  /** A text where it is a string schema. */
  readonly answer: z.ZodType
  readonly failures?: readonly number[]
}

const success = {status: z.literal('success')}
const done = (shape: z.ZodRawShape): z.ZodType => z.looseObject({...success, ...shape})
const anything = z.looseObject({})
const text = z.string()
const names = z.looseObject({
  names: z.string().optional().describe('comma-separated; unknown ones are left out'),
})
const tokensMock = z.looseObject({
  tokens_mock: z
    .string()
    .optional()
    .describe('"start,end": tokens start to end − 1, with their KV in slots 0 to n − 1'),
})
const backendName = z.looseObject({
  backend_name: z.string().optional().describe('as GET /bypass/list shows it'),
})
const message = z.string()
const frozen = done({freeze: z.boolean(), message})
const hot = done({hot_cache: z.boolean(), message})
const said = done({message})
const bypassed = z.array(z.string())
const backends = z.record(z.string(), z.string())

const ROUTES: Readonly<Record<CacheOperation, RouteText>> = {
  lmcVersion: {summary: 'Version of the cache, as text', answer: text},
  commitId: {summary: 'Commit of the cache, as text; empty when unknown', answer: text},
  fullVersion: {summary: 'Version and commit, as text', answer: text},
  inferenceInfo: {
    summary: 'Model and cache of the inference engine',
    query: z.looseObject({format: z.string().optional().describe('reserved')}),
    answer: anything,
    failures: [500],
  },
  inferenceVersion: {
    summary: 'Version of the inference engine',
    answer: z.looseObject({vllm_version: z.string().nullable()}),
    failures: [500],
  },
  getConf: {summary: 'Settings in force', query: names, answer: anything},
  setConf: {
    summary: 'Change settings; good keys count although others are refused',
    body: anything,
    answer: z.looseObject({updated: anything}),
    failures: [400],
  },
  getMeta: {
    summary: 'Who the worker is: model, ranks, shape of its KV cache',
    query: names,
    answer: anything,
  },
  clear: {
    summary: 'Remove chunks from every tier, or from those named',
    query: z.looseObject({
      locations: z
        .array(z.string())
        .optional()
        .describe('tiers, repeated or comma-separated; unknown ones match nothing'),
    }),
    answer: done({num_removed: integer.describe('tokens')}),
    failures: [500],
  },
  store: {
    summary: 'Store the KV of made-up tokens',
    query: tokensMock,
    answer: done({
      num_tokens: integer,
      num_stored: integer.describe('tokens that are in a tier now').optional(),
    }),
    failures: [400, 500],
  },
  retrieve: {
    summary: 'Load the longest stored prefix of made-up tokens',
    query: tokensMock,
    answer: done({num_tokens: integer, num_retrieved: integer}),
    failures: [400, 409, 500],
  },
  check: {
    summary: 'MD5 of the KV at some slots, chunk by chunk',
    query: z.looseObject({
      slot_mapping: z.string().optional().describe('such as 1,2,3,[9,12]'),
      chunk_size: z.int().optional().describe('slots a checksum; required'),
      layerwise: z.boolean().optional().describe('a checksum for each layer'),
    }),
    answer: done({num_chunks: integer}),
    failures: [400, 404, 422, 500],
  },
  recordSlot: {
    summary: 'Switch the recording of slots, or ask whether it is on',
    query: z.looseObject({enabled: z.string().optional().describe('true or false')}),
    answer: done({kvcache_check_log_enabled: z.boolean()}),
    failures: [400],
  },
  slotRecords: {
    summary: 'The last operations while recording was on',
    answer: done({records: z.array(anything)}),
  },
  kvInfo: {
    summary: 'Layers of the paged KV buffer',
    answer: done({num_layers: integer, layers: anything}),
    failures: [404, 500],
  },
  loadFsChunks: {
    summary: 'Load chunk files of the FS connector into the CPU tier',
    body: z.looseObject({
      config_path: z.string().describe('YAML with remote_url: fs://…, below an allowed folder'),
      max_chunks: z.int().nullable().optional(),
      max_failed_keys: z.int().optional(),
      force: z.boolean().optional().describe('also while frozen or with the hot cache off'),
    }),
    answer: done({loaded_chunks: integer, total_files: integer, failed_keys: z.array(z.string())}),
    failures: [400, 409, 422, 500],
  },
  enableFreeze: {summary: 'Store nothing and read the CPU tier alone', answer: frozen},
  disableFreeze: {summary: 'Store and read as usual', answer: frozen},
  freezeStatus: {summary: 'Whether the cache is frozen', answer: frozen},
  enableHotCache: {summary: 'Keep chunks in the CPU tier', answer: hot},
  disableHotCache: {
    summary: 'Clear the CPU tier and keep nothing in it',
    query: z.looseObject({force: z.boolean().optional().describe('also while frozen')}),
    answer: hot,
    failures: [409, 422],
  },
  hotCacheStatus: {summary: 'Whether the CPU tier keeps chunks', answer: hot},
  startStatistics: {summary: 'Count chunks', answer: said, failures: [400]},
  stopStatistics: {summary: 'Count no more', answer: said, failures: [400]},
  resetStatistics: {summary: 'Forget what was counted', answer: said, failures: [400]},
  statisticsStatus: {
    summary: 'What was counted',
    answer: z.looseObject({total_chunks: integer, unique_chunks: integer, timestamp: z.number()}),
    failures: [400, 500],
  },
  listBypassed: {
    summary: 'Tiers, and which of them are left out',
    answer: done({bypassed_backends: bypassed, all_backends: bypassed}),
  },
  addBypass: {
    summary: 'Leave a tier out',
    query: backendName,
    answer: done({was_already_bypassed: z.boolean(), bypassed_backends: bypassed}),
    failures: [400],
  },
  removeBypass: {
    summary: 'Take a tier in again',
    query: backendName,
    answer: done({was_bypassed: z.boolean(), bypassed_backends: bypassed}),
    failures: [400],
  },
  listBackends: {summary: 'Tiers in the order in which they are asked', answer: backends},
  createBackends: {
    summary: 'Open the tiers that the settings ask for and that are missing',
    answer: done({created: backends, backends}),
    failures: [500],
  },
  closeBackend: {
    summary: 'Close a tier and forget it',
    params: z.strictObject({name: z.string().describe('as GET /backends shows it')}),
    answer: done({backends}),
    failures: [404],
  },
  backendFigures: {summary: 'What each tier holds and how it does', answer: done({backends: anything})},
  logLevel: {
    summary: 'Level of the log, or change it',
    query: z.looseObject({
      logger_name: z.string().optional().describe('any name: kvctl has one logger'),
      level: z.string().optional().describe('DEBUG, INFO, WARNING or ERROR'),
    }),
    answer: text,
    failures: [400],
  },
  lookupInfo: {summary: 'Parts that look chunks up', answer: anything},
  periodicThreads: {
    summary: 'What the worker does again and again, and how that goes',
    query: z.looseObject({
      level: z.string().optional().describe('critical, high, medium or low'),
      running_only: z.boolean().optional().describe('true shows those alone that run'),
      active_only: z.boolean().optional().describe('true shows those alone that ran lately'),
    }),
    answer: z.looseObject({summary: anything, threads: z.array(anything)}),
    failures: [400, 422],
  },
  periodicThread: {
    summary: 'One of them',
    params: z.strictObject({name: z.string().describe('as GET /periodic-threads shows it')}),
    answer: anything,
    failures: [404],
  },
  periodicThreadsHealth: {
    summary: 'Whether all that must go on does',
    answer: z.looseObject({
      ...{healthy: z.boolean(), unhealthy_count: integer},
      unhealthy_threads: z.array(anything),
    }),
  },
}

/** LMCache's own forms: `error` and `message`, or FastAPI's `detail`. */
const failure = z.looseObject({
  error: z.string().optional(),
  message: z.string().optional(),
  detail: z.unknown().optional(),
})

/** What OpenAPI says of a route; nothing is checked by it, since the API has errors of its own. */
export function cacheSchema(operation: CacheOperation): object {
  const {summary, query, params, body, answer: shape, failures = []} = ROUTES[operation]
  const isText = shape === text
  return {
    ...{tags: ['cache'], operationId: `cache${operation[0]!.toUpperCase()}${operation.slice(1)}`, summary},
    ...(query && {querystring: jsonSchema(query)}),
    ...(params && {params: jsonSchema(params)}),
    ...(body && {body: jsonSchema(body)}),
    response: {
      200: answer(summary, shape, isText ? 'text/plain' : 'application/json'),
      ...Object.fromEntries(failures.map(status => [status, answer('In the form of LMCache', failure)])),
      ...problems(503),
    },
  }
}
