import {connect, type Socket} from 'node:net'

/** A reader of server-sent events on a bare socket. */
export interface StreamReader {
  readonly socket: Socket
  readonly bytes: () => number
  /** When each event ended, ms of `performance.now()`. */
  readonly arrivedMs: readonly number[]
}

/** Reads `/vram/stream` of small documents. */
export function readStream(url: string): StreamReader {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const arrivedMs: number[] = []
  let bytes = 0
  let end = ''
  socket.write('GET /vram/stream?blocks=none HTTP/1.1\r\nhost: localhost\r\n\r\n')
  socket.on('error', () => undefined)
  socket.on('data', chunk => {
    bytes += chunk.length
    // An event ends with an empty line, wherever TCP cuts it.
    const text = end + chunk.toString('latin1')
    if (text.includes('}\n\n')) arrivedMs.push(performance.now())
    end = text.endsWith('}\n\n') ? '' : text.slice(-2)
  })
  return {socket, bytes: () => bytes, arrivedMs}
}
