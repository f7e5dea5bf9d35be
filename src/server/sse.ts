import type {OutgoingHttpHeader, ServerResponse} from 'node:http'

/** One client that reads events. What it cannot take yet is not queued here: ask `isBlocked` and write again on drain. */
export interface SseStream {
  readonly isBlocked: boolean
  /** @param events whole events, encoded; bytes where many clients get the same */
  write(events: string | Uint8Array): void
  end(events: string): void
  /** Breaks the connection, as a crash would. */
  destroy(): void
}

/** Headers as Fastify holds them. */
export type ReplyHeaders = Readonly<Record<string, OutgoingHttpHeader | undefined>>

export interface SseListener {
  /** The client has read on; it can take more. */
  drained(): void
  /** The client left, or was put out, before it had everything. */
  gone(): void
}

/**
 * Takes a response over and sends its head at once, so that a client sees the status before the first token.
 *
 * @param stallMs a client that reads nothing for so long is put out
 * @param headers what the framework would have sent with its own reply
 */
export function openSseStream(
  raw: ServerResponse,
  stallMs: number,
  listener: SseListener,
  headers: ReplyHeaders = {},
): SseStream {
  let isBlocked = false
  let isOver = false
  let stall: NodeJS.Timeout | null = null
  const unblock = (): void => {
    isBlocked = false
    if (stall) clearTimeout(stall)
    stall = null
  }
  const closed = (): void => {
    unblock()
    if (isOver && raw.writableFinished) return
    isOver = true
    listener.gone()
  }
  // It may have left before anybody listened.
  if (raw.destroyed) process.nextTick(closed)
  else raw.once('close', closed)
  // A reset while writing; `close` follows and tells the listener.
  raw.on('error', () => {})
  raw.on('drain', () => {
    unblock()
    if (!isOver) listener.drained()
  })
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    ...headers,
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
  })
  raw.flushHeaders()
  return {
    get isBlocked() {
      return isBlocked
    },
    write(events) {
      if (isOver || raw.write(events)) return
      isBlocked = true
      stall ??= setTimeout(() => raw.destroy(), stallMs)
    },
    end(events) {
      if (isOver) return
      isOver = true
      raw.end(events)
      if (!raw.writableFinished) stall ??= setTimeout(() => raw.destroy(), stallMs)
    },
    destroy() {
      raw.destroy()
    },
  }
}
