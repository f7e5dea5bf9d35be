import type {ServerResponse} from 'node:http'
import type {Ticker} from '../lib/foundation/index.js'
import {openSseStream, type ReplyHeaders, type SseStream} from './sse.js'

/** One ticker for any number of event streams; it runs while there is a reader. */
export interface Broadcast {
  readonly readers: number
  /** Opens a stream on a response that was taken over. @returns ends it */
  join(response: ServerResponse, headers: ReplyHeaders): () => void
}

/** How events are written. */
export interface EventStyle {
  /** What every client gets first. */
  readonly hello: string
  /** One event, of its data and the number of its look. */
  readonly event: (data: string, sequence: number) => string
  /** After so long without an event a comment shows that the stream lives; null sends none. */
  readonly heartbeatMs: number | null
}

export const DATA_ALONE: EventStyle = {hello: '', event: data => `data: ${data}\n\n`, heartbeatMs: null}

/**
 * Each look is encoded once, and the same bytes go to every client that has read the ones before. A client that has not is
 * passed over: it misses looks and never makes memory grow.
 *
 * @param encode the text of one event's `data:`, on one line
 * @param stallMs a client that reads nothing for so long is put out
 */
export function createBroadcast<T>(
  ticker: Ticker<T>,
  encode: (look: T) => string,
  stallMs: number,
  {hello, event, heartbeatMs}: EventStyle = DATA_ALONE,
): Broadcast {
  const streams = new Set<SseStream>()
  let pause: AbortController | null = null
  let latest: Buffer | null = null
  let heartbeat: NodeJS.Timeout | undefined

  const send = (bytes: Buffer | string): void => {
    for (const stream of streams) if (!stream.isBlocked) stream.write(bytes)
  }
  const start = (): void => {
    pause = new AbortController()
    if (heartbeatMs !== null) heartbeat = setInterval(() => send(': ping\n\n'), heartbeatMs)
    ticker.subscribe((look, sequence) => {
      latest = Buffer.from(event(encode(look), sequence))
      heartbeat?.refresh()
      send(latest)
    }, pause.signal)
  }
  const leave = (stream: SseStream): void => {
    streams.delete(stream)
    if (streams.size > 0) return
    clearInterval(heartbeat)
    pause?.abort()
    pause = null
    // By the time somebody comes again it is old.
    latest = null
  }
  return {
    get readers() {
      return streams.size
    },
    join(response, headers) {
      const stream = openSseStream(response, stallMs, {drained() {}, gone: () => leave(stream)}, headers)
      streams.add(stream)
      if (hello !== '') stream.write(hello)
      if (latest !== null) stream.write(latest)
      if (pause === null) start()
      return () => {
        stream.end('')
        leave(stream)
      }
    },
  }
}
