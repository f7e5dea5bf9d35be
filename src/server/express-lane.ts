import type {IncomingHttpHeaders, IncomingMessage, ServerResponse} from 'node:http'
import {hasKey} from './api-key.js'
import type {ApiContext} from './api-context.js'
import {COMPLETION_PATHS, forwardToEngine, MAX_ROUTED_BYTES, openAiRefusal} from './forward-to-engine.js'
import {isLoopback} from './loopback.js'

/** Who may ask; see `ApiAppOptions`. */
export interface ExpressAccess {
  readonly token: string | null
  readonly isForThisMachine: boolean
}

const NAMED_ROUTES: ReadonlySet<string> = new Set(COMPLETION_PATHS)
const OTHER_ROUTE = '/v1/*'
const ROUTED_PATH = /^\/v1\/[\w./:-]{1,200}(?=\?|$)/

/**
 * Takes requests to engines past the framework, whose hooks, parsers and wrappers cost a request that finds the processor's caches cold
 * more than everything else that is done for it (docs/adr/0035-requests-pass-little-code.md).
 *
 * Only the plain ones: POSTs that may come in, with a body of known length. The rest is left to the framework's own route,
 * refusals included, so that each is worded in one place.
 *
 * @returns false for a request that was not touched
 */
export function expressLane(
  context: ApiContext,
  access: ExpressAccess,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const {traffic, metrics} = context
  return (request, response) => {
    const {method, url = '', headers} = request
    if (method !== 'POST') return false
    const path = ROUTED_PATH.exec(url)?.[0]
    const length = Number(headers['content-length'])
    const isPlain = path !== undefined && length > 0 && length <= MAX_ROUTED_BYTES
    if (!isPlain || !mayPass(headers, access)) return false
    try {
      traffic.enter(response, true)
    } catch {
      return false
    }
    const route = NAMED_ROUTES.has(path) ? path : OTHER_ROUTE
    response.once('close', () => metrics.exchanged('POST', route, response.statusCode))
    readBody(request, length, body => {
      try {
        forwardToEngine(context, request, response, body, {})
      } catch (error) {
        refuse(response, error, context)
      }
    })
    return true
  }
}

function mayPass(headers: IncomingHttpHeaders, {token, isForThisMachine}: ExpressAccess): boolean {
  if (isForThisMachine && !isLoopback((headers.host ?? '').replace(/:\d+$/, ''))) return false
  const own = headers['x-kvctl-token']
  return token === null || (typeof own === 'string' && hasKey(`Bearer ${own}`, [token]))
}

/** @param take called once, and never where the client leaves before it has sent all */
function readBody(request: IncomingMessage, length: number, take: (body: Buffer) => void): void {
  let parts: Buffer[] | null = null
  let bytes = 0
  request.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes === length) take(parts === null ? part : Buffer.concat([...parts, part], length))
    else if (parts === null) parts = [part]
    else parts.push(part)
  })
}

function refuse(response: ServerResponse, error: unknown, context: ApiContext): void {
  const {status, body, retryAfterS} = openAiRefusal(error, context)
  const text = JSON.stringify(body)
  response.writeHead(status, {
    ...(retryAfterS !== null && {'retry-after': retryAfterS}),
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}
