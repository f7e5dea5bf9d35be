import {once} from 'node:events'
import {createServer, type IncomingMessage} from 'node:http'
import type {AddressInfo} from 'node:net'

export interface ScriptedCacheWorker {
  readonly url: string
  /** Requests as `METHOD /path?query body`, in order. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

interface Script {
  /** The scheduler has no engine, and alone has statistics. */
  readonly role?: 'worker' | 'scheduler'
  readonly workerId?: number
  /** Tokens it can retrieve. */
  readonly retrieves?: number
  /** Before `/freeze` there was `/hot_cache_freeze_mode`. */
  readonly isOld?: boolean
  /** Routes, as `METHOD /path`, that never answer. */
  readonly hangs?: readonly string[]
  /** Routes with an answer of their own: a status and a text. */
  readonly answers?: Readonly<Record<string, readonly [status: number, text: string]>>
}

type Scripted = readonly [status: number, text: string, type: string]

const TEXT = 'text/plain; charset=utf-8'
const UNAVAILABLE = {error: 'LMCache API is unavailable', message: 'LMCache engine not configured.'}

/**
 * A process of an LMCache deployment as it answers in the field: versions in JSON quotes, settings as text/plain with bare
 * infinities, errors in three forms, indented documents.
 *
 * @see LMCache/LMCache:lmcache/v1/internal_api_server
 */
export async function startScriptedWorker(script: Script = {}): Promise<ScriptedCacheWorker> {
  const {role = 'worker', hangs = [], answers = {}} = script
  const asked: string[] = []
  const server = createServer((request, response) => {
    void (async () => {
      const body = await textOf(request)
      const path = request.url!.split('?')[0]!
      const route = `${request.method} ${path}`
      asked.push(`${request.method} ${request.url} ${body}`.trim())
      if (hangs.includes(route)) return
      const own = answers[route]
      const query = new URL(request.url!, 'http://a').searchParams
      const [status, text, type] = own === undefined ? answer(route, role, script, query) : [...own, TEXT]
      response.writeHead(status, {'content-type': type}).end(text)
    })()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function answer(
  route: string,
  role: 'worker' | 'scheduler',
  {workerId = 0, retrieves = 512, isOld = false}: Script,
  query: URLSearchParams,
): Scripted {
  const json = (status: number, document: unknown): Scripted => [
    status,
    JSON.stringify(document, null, 2),
    'application/json',
  ]
  const freeze = isOld ? 'hot_cache_freeze_mode' : 'freeze'
  switch (route) {
    case 'GET /lmc_version':
      return [200, '"0.3.9"', 'application/json']
    case 'GET /version':
      return [200, '"0.3.9-NA"', 'application/json']
    case 'GET /conf':
      return [
        200,
        '{\n  "chunk_size": 256,\n  "note": "Infinity, NaN",\n  "pd_allocation_timeout_sec": Infinity,\n  "low": -Infinity,\n  "ratio": NaN\n}',
        'text/plain; charset=utf-8',
      ]
    case 'POST /conf':
      // The source says 200 as long as one key was good.
      return json(200, {updated: {min_retrieve_tokens: 512}, errors: {chunk_sise: 'Unknown config'}})
    case 'GET /chunk_statistics/status':
      if (role === 'worker')
        return json(503, {error: 'API unavailable', message: 'Lookup client not configured.'})
      return json(200, {enabled: true, total_chunks: 10, unique_chunks: 5, timestamp: 1.5})
    case 'POST /chunk_statistics/start':
      if (role === 'worker')
        return json(503, {error: 'API unavailable', message: 'Lookup client not configured.'})
      return json(200, {status: 'success', message: 'Chunk statistics collection started'})
  }
  if (role === 'scheduler') return json(503, UNAVAILABLE)
  switch (route) {
    case 'GET /meta':
      return [200, JSON.stringify({model_name: 'm', worker_id: workerId, world_size: 2}), 'text/plain']
    case 'DELETE /cache/clear':
      return json(200, {status: 'success', num_removed: workerId === 0 ? 256 : 0})
    case 'POST /cache/retrieve':
      return json(200, {status: 'success', num_tokens: 1024, num_retrieved: retrieves})
    case 'POST /cache/store':
      return json(200, {status: 'success', num_tokens: 1024})
    case 'GET /cache/kvcache/check':
      return json(422, {
        detail: [{type: 'int_parsing', loc: ['query', 'chunk_size'], msg: 'not an integer', input: 'x'}],
      })
    case 'GET /cache/kvcache/info':
      return json(404, {error: 'kv_caches not available', message: 'kv_caches is empty or not initialized'})
    case 'POST /cache/load-fs-chunks':
      return json(400, {detail: 'Invalid configuration file: gone'})
    case 'PUT /cache/kvcache/record_slot':
      return [500, 'Internal Server Error', 'text/plain']
    case 'GET /bypass/list':
      return json(200, {status: 'success', bypassed_backends: [], all_backends: ['LocalCPUBackend']})
    case 'PUT /bypass/add':
      return json(400, {
        error: 'Unknown backend',
        message: `Backend '${query.get('backend_name')}' not found. Available: ['LocalCPUBackend']`,
      })
    case `GET /${freeze}/status`:
    case `PUT /${freeze}/enable`:
      return json(200, {status: 'success', [freeze]: true, message: 'x'})
    default:
      return json(404, {detail: 'Not Found'})
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  request.setEncoding('utf8')
  for await (const chunk of request) text += chunk as string
  return text
}
