import {STATUS_CODES, type OutgoingHttpHeader, type ServerResponse} from 'node:http'
import {
  endpointOf,
  SERVED_HEADER,
  type Routed,
  type RouteError,
  type RouteSink,
  type RouteStory,
} from '../lib/router/index.js'
import {ApiError} from './api-error.js'

export interface RelayReplyOptions {
  /** What the framework would have sent with its own reply. */
  readonly headers: Readonly<Record<string, OutgoingHttpHeader | undefined>>
  /** A client that reads nothing for so long is put out. */
  readonly slowClientMs: number
  readonly showsDecision: boolean
  /** Whether a gateway asked for an engine, and hears which one it was. */
  readonly showsServed: boolean
  readonly model: string
}

/** Everything that the router itself answers with. */
const STATUS: Readonly<Record<RouteError, number>> = {
  'unknown-model': 404,
  invalid: 400,
  full: 429,
  deadline: 503,
  asleep: 503,
  'wake-failed': 503,
  removed: 503,
  unreachable: 502,
  broken: 502,
  late: 504,
}
const RETRY_AFTER_S = '1'

export function statusOf(status: number): string {
  return STATUS_CODES[status] ?? 'Error'
}

/**
 * Writes an engine's answer to a client, chunk by chunk as it comes and no faster than it is read. An answer that breaks off
 * ends with an error event where it is a stream of events, else with the connection.
 *
 * @param start takes the request on; what it returns is told when the client reads on, and when it leaves
 */
export function relayReply(
  raw: ServerResponse,
  {headers, slowClientMs, showsDecision, showsServed, model}: RelayReplyOptions,
  start: (sink: RouteSink) => Routed,
): void {
  let routed: Routed | null = null
  let isOver = false
  let isEvents = false
  let last: Buffer | null = null
  let stall: NodeJS.Timeout | null = null
  const unblock = (): void => {
    if (stall) clearTimeout(stall)
    stall = null
  }
  raw.on('drain', () => {
    unblock()
    routed?.resume()
  })
  raw.on('error', () => {
    // A reset while writing; `close` follows.
  })
  raw.once('close', () => {
    unblock()
    if (!isOver) routed?.cancel()
    isOver = true
  })
  const sink: RouteSink = {
    head(status, reason, lines, story) {
      if (isOver) return
      for (const [name, value] of Object.entries(headers))
        for (const one of [value ?? []].flat()) lines.push(name, String(one))
      if (showsDecision) lines.push('x-kvctl-decision', decisionHeader(model, story))
      if (showsServed) lines.push(SERVED_HEADER, endpointOf(story.decision.url))
      isEvents = isEventStream(lines)
      raw.writeHead(status, reason, lines)
      // The first event often comes with it, and then leaves with it.
      if (isEvents) {
        process.nextTick(() => {
          if (last === null && !isOver) raw.flushHeaders()
        })
      }
    },
    data(chunk) {
      if (isOver) return true
      last = chunk
      if (raw.write(chunk)) return true
      stall ??= setTimeout(() => raw.destroy(), slowClientMs)
      return false
    },
    end() {
      if (isOver) return
      isOver = true
      raw.end()
    },
    fail(why, message, hasStarted) {
      if (isOver) return
      isOver = true
      const status = STATUS[why]
      const {body} = new ApiError(status, message, why === 'unknown-model' ? 'model' : null)
      if (!hasStarted) {
        const text = JSON.stringify(body)
        raw.writeHead(status, {
          ...headers,
          'content-type': 'application/json; charset=utf-8',
          'content-length': Buffer.byteLength(text),
          ...((status === 429 || status === 503) && {'retry-after': RETRY_AFTER_S}),
        })
        raw.end(text)
      } else if (isEvents) {
        const gap = last === null || last.at(-1) === 10 ? '' : '\n\n'
        raw.end(`${gap}data: ${JSON.stringify(body)}\n\n`)
      } else {
        raw.destroy()
      }
    },
  }
  // It may have left before anybody listened.
  if (raw.destroyed) return
  routed = start(sink)
}

function isEventStream(lines: readonly string[]): boolean {
  const at = lines.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-type')
  return at >= 0 && lines[at + 1]!.startsWith('text/event-stream')
}

/** Why a request went where it went, as one line of JSON. */
function decisionHeader(model: string, {decision, attempts, waitedMs}: RouteStory): string {
  return JSON.stringify({
    model: encodeURIComponent(model),
    replica: decision.url,
    policy: decision.policy,
    reason: decision.reason,
    attempts,
    waited_ms: Math.round(waitedMs),
    candidates: decision.candidates.map(({url, load, kvUsage, recent, matched, weight}) => ({
      ...{url, load, matched, weight},
      kv_cache_usage: kvUsage,
      recent: Math.round(recent * 100) / 100,
    })),
  })
}
