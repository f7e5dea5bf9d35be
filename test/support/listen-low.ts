import {once} from 'node:events'
import type {Server} from 'node:net'

/**
 * Listens on a free port of 127.0.0.1 below those that the system hands out, where a server's own choice would be.
 *
 * @returns the port
 */
export async function listenLow(server: Server): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000)
    server.listen(port, '127.0.0.1')
    const isOpen = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ])
    if (isOpen) return port
  }
}
