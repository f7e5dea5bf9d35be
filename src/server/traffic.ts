import type {ServerResponse} from 'node:http'
import {HttpRefusal} from './problem.js'

export interface TrafficLimits {
  readonly maxRequests: number
  /** Requests that engines answer, on top of those. */
  readonly maxProxied: number
  readonly maxStreams: number
}

/** What a server is answering: bounded, and brought to an end when the server ends. */
export interface Traffic {
  readonly requests: number
  readonly streams: number
  readonly isDraining: boolean
  /**
   * @param isProxied an engine answers: such requests have a limit of their own
   * @throws HttpRefusal 503 while draining, or when as many are being answered as may be
   */
  enter(response: ServerResponse, isProxied: boolean): void
  /**
   * Turns an entered request into a stream, which does not hold up the end.
   *
   * @param open starts the stream; what it returns ends it
   * @throws HttpRefusal 503 when as many streams are open as may be
   */
  enterStream(response: ServerResponse, open: () => () => void): void
  /** Aborted when the client leaves, or when the server has waited long enough for the answer. */
  signalFor(response: ServerResponse): AbortSignal
  /** Ends streams, refuses what is new, and gives the rest `patienceMs`, then a moment to say that it was cut short. */
  drain(patienceMs: number): Promise<void>
}

/** What is left of an answer after it was aborted: a few lines to a socket. */
const LAST_WORDS_MS = 200

export function createTraffic({maxRequests, maxProxied, maxStreams}: TrafficLimits): Traffic {
  // Counted, not kept in a set: V8 chains the tables that a busy set outgrows, and answers in them lived to the next full collection.
  let requests = 0
  let proxied = 0
  const streams = new Map<ServerResponse, () => void>()
  const impatience = new AbortController()
  let isDraining = false
  let tellEmpty: (() => void) | null = null

  const leave = (): void => {
    if (--requests === 0) tellEmpty?.()
  }
  const empty = async (patienceMs: number): Promise<void> => {
    if (requests === 0) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>(resolve => {
      tellEmpty = resolve
      timer = setTimeout(resolve, patienceMs)
    })
    clearTimeout(timer)
  }
  return {
    get requests() {
      return requests
    },
    get streams() {
      return streams.size
    },
    get isDraining() {
      return isDraining
    },
    enter(response, isProxied) {
      if (isDraining) throw new HttpRefusal(503, 'SERVER_DRAINING', 'The server is shutting down.')
      const [most, now] = isProxied ? [maxProxied, proxied] : [maxRequests, requests - proxied]
      if (now >= most)
        throw new HttpRefusal(503, 'SERVER_BUSY', `${most} requests are being answered already.`)
      requests++
      if (isProxied) proxied++
      response.once('close', () => {
        if (isProxied) proxied--
        // A stream left when it became one.
        if (!streams.delete(response)) leave()
      })
    },
    enterStream(response, open) {
      if (streams.size >= maxStreams)
        throw new HttpRefusal(503, 'TOO_MANY_STREAMS', `${maxStreams} streams are open already.`)
      // The client left before its stream began.
      if (response.destroyed) return
      streams.set(response, open())
      leave()
    },
    signalFor(response) {
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      return AbortSignal.any([gone.signal, impatience.signal])
    },
    async drain(patienceMs) {
      isDraining = true
      for (const end of streams.values()) end()
      await empty(patienceMs)
      impatience.abort(new HttpRefusal(503, 'SERVER_DRAINING', 'The server shut down before this was done.'))
      await empty(LAST_WORDS_MS)
    },
  }
}
