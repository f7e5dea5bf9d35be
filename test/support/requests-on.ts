import type {Socket} from 'node:net'

/**
 * Reads the requests of a connection from a bare socket, whose reads no HTTP server of ours delays: one after another, pipelined or
 * not, with bodies whose length is told.
 *
 * @param take head without its blank line, body as UTF-8
 */
export function requestsOn(socket: Socket, take: (head: string, body: string) => void): void {
  let seen = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', bytes => {
    seen += bytes.toString('latin1')
    for (;;) {
      const headEnd = seen.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const head = seen.slice(0, headEnd)
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (seen.length < headEnd + 4 + length) return
      const body = Buffer.from(seen.slice(headEnd + 4, headEnd + 4 + length), 'latin1').toString('utf8')
      seen = seen.slice(headEnd + 4 + length)
      take(head, body)
    }
  })
}
