import type {ServerResponse} from 'node:http'
import type {Ticker} from '../lib/foundation/index.js'
import {openSseStream, type ReplyHeaders, type SseStream} from './sse.js'

/** One ticker for any number of event streams; it runs while there is a reader. */
export interface Broadcast {
  /** Opens a stream on a response that was taken over. @returns ends it */
  join(response: ServerResponse, headers: ReplyHeaders): () => void
}

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
): Broadcast {
  const streams = new Set<SseStream>()
  let pause: AbortController | null = null
  let latest: Buffer | null = null

  const start = (): void => {
    pause = new AbortController()
    ticker.subscribe(look => {
      latest = Buffer.from(`data: ${encode(look)}\n\n`)
      for (const stream of streams) if (!stream.isBlocked) stream.write(latest)
    }, pause.signal)
  }
  const leave = (stream: SseStream): void => {
    streams.delete(stream)
    if (streams.size > 0) return
    pause?.abort()
    pause = null
    // By the time somebody comes again it is old.
    latest = null
  }
  return {
    join(response, headers) {
      const stream = openSseStream(response, stallMs, {drained() {}, gone: () => leave(stream)}, headers)
      streams.add(stream)
      if (latest !== null) stream.write(latest)
      if (pause === null) start()
      return () => {
        stream.end('')
        leave(stream)
      }
    },
  }
}
