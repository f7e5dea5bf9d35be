import {createTicker, type Logger, type Ticker} from '../lib/foundation/index.js'
import {VramWriter} from '../lib/machine/index.js'
import {createBroadcast, DATA_ALONE, type Broadcast, type EventStyle} from './broadcast.js'
import type {FedLook, MachineFeed} from './machine-feed.js'
import {vramText, type VramWish} from './vram-answers.js'

/** What one stream shall be like. */
export interface StreamWish extends VramWish {
  readonly intervalMs: number
  /** With the number of each look, and the time after which a client shall come back. */
  readonly isFull: boolean
}

/** The streams of `/vram/stream`: one ticker for each interval, one text for all who want the same. */
export interface VramStreams {
  broadcastFor(wish: StreamWish): Broadcast
}

/** A look that takes longer is told with the next event: the clock of a stream is kept. */
const PATIENCE_MS = 250
const HEARTBEAT_MS = 15_000
const RETRY_MS = 2000
const FULL: EventStyle = {
  hello: `retry: ${RETRY_MS}\n\n`,
  event: (data, sequence) => `id: ${sequence}\ndata: ${data}\n\n`,
  heartbeatMs: HEARTBEAT_MS,
}

export function createVramStreams(feed: MachineFeed, stallMs: number, logger: Logger): VramStreams {
  const tickers = new Map<number, Ticker<FedLook>>()
  const broadcasts = new Map<string, {readonly broadcast: Broadcast; readonly intervalMs: number}>()

  const tidy = (): void => {
    for (const [key, {broadcast}] of broadcasts) if (broadcast.readers === 0) broadcasts.delete(key)
    const used = new Set([...broadcasts.values()].map(({intervalMs}) => intervalMs))
    for (const intervalMs of tickers.keys()) if (!used.has(intervalMs)) tickers.delete(intervalMs)
  }
  const tickerOf = (intervalMs: number): Ticker<FedLook> => {
    const known = tickers.get(intervalMs)
    if (known) return known
    const ticker = createTicker(
      () => feed.look(PATIENCE_MS),
      intervalMs,
      error => logger.warn(`/vram/stream: ${error instanceof Error ? error.message : String(error)}`),
    )
    tickers.set(intervalMs, ticker)
    return ticker
  }
  return {
    broadcastFor(wish) {
      const key = JSON.stringify(wish)
      const known = broadcasts.get(key)
      if (known) return known.broadcast
      tidy()
      const writer = new VramWriter()
      const broadcast = createBroadcast(
        tickerOf(wish.intervalMs),
        look => vramText(look, wish, writer),
        stallMs,
        wish.isFull ? FULL : DATA_ALONE,
      )
      broadcasts.set(key, {broadcast, intervalMs: wish.intervalMs})
      return broadcast
    },
  }
}
