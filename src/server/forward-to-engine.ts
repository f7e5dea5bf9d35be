import type {IncomingMessage, OutgoingHttpHeader, ServerResponse} from 'node:http'
import {headersToForward} from '../lib/http/index.js'
import {DESTINATION_HEADER, destinationsOf, prefixHashes, promptText} from '../lib/router/index.js'
import {ApiError} from './api-error.js'
import type {ApiContext} from './api-context.js'
import {problemOf} from './problem.js'
import {relayReply} from './relay-reply.js'
import {readRoutedBody} from './routed-body.js'

/** What has a route of its own; other requests to engines share one, and are counted together. */
export const COMPLETION_PATHS = ['/v1/chat/completions', '/v1/completions'] as const
/** Pictures in a conversation come as text. */
export const MAX_ROUTED_BYTES = 64 * 2 ** 20
/** Ours, and those that a new connection makes anew. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'expect',
  'x-kvctl-token',
  'x-kvctl-decision',
])
const NOT_FORWARDED_WITH_KEY: ReadonlySet<string> = new Set([...NOT_FORWARDED, 'authorization'])
const NO_DESTINATIONS: readonly string[] = []
const NO_HASHES: readonly number[] = []

/**
 * Sends a request on to an engine of its model, which answers it.
 *
 * @param body all of it; null for none
 * @param headers what our own reply would have carried, which the engine's answer carries as well
 * @throws ApiError when the request names no model, or one that is not served; then nothing was sent
 */
export function forwardToEngine(
  {router, slowClientMs}: Pick<ApiContext, 'router' | 'slowClientMs'>,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer | null,
  headers: Readonly<Record<string, OutgoingHttpHeader | undefined>>,
): void {
  const {method = 'GET', url: path = '/', headers: asked, rawHeaders} = request
  const {model, json} = readRoutedBody(body, asked['content-type'], path)
  const served = router.model(model)
  if (!served) throw new ApiError(404, `The model \`${model}\` does not exist.`, 'model')
  const forwarded = headersToForward(
    rawHeaders,
    served.apiKey === null ? NOT_FORWARDED : NOT_FORWARDED_WITH_KEY,
  )
  if (served.apiKey !== null) forwarded.push('authorization', `Bearer ${served.apiKey}`)
  const wanted = asked[DESTINATION_HEADER]
  const destinations =
    wanted === undefined ? NO_DESTINATIONS : destinationsOf(String(wanted), served.replicas)
  if (wanted !== undefined && destinations.length === 0)
    throw new ApiError(503, `None of the engines of \`${model}\` is at ${String(wanted)}.`)
  const named = asked[served.sessionHeader] ?? json?.['user']
  const session = typeof named === 'string' ? named : null
  const hashes = json !== null && router.readsPrompts(model) ? prefixHashes(promptText(json)) : NO_HASHES
  relayReply(
    response,
    {
      ...{headers, slowClientMs, model},
      showsDecision: asked['x-kvctl-decision'] !== undefined,
      showsServed: wanted !== undefined,
    },
    sink =>
      router.route(model, {method, path, headers: forwarded, body, hashes, destinations, session}, sink),
  )
}

/** A failure as OpenAI's clients read it. */
export function openAiRefusal(
  error: unknown,
  {logger}: Pick<ApiContext, 'logger'>,
): {readonly status: number; readonly body: object; readonly retryAfterS: string | null} {
  const refusal = error instanceof ApiError ? error : null
  const {status, detail} = refusal ? {status: refusal.status, detail: refusal.message} : problemOf(error)
  if (status === 500) logger.error(error instanceof Error ? error.stack! : String(error))
  const {body} = refusal ?? new ApiError(status, detail)
  return {status, body, retryAfterS: status === 503 ? '1' : null}
}
