import type {AddressInfo} from 'node:net'
import type {FastifyInstance} from 'fastify'
import {isSystemError, ResourceError} from '../lib/foundation/index.js'

/**
 * Starts listening.
 *
 * @param port 0 takes a free one
 * @returns the URL, which is the loopback's where the server listens on every address
 * @throws ResourceError `PORT_IN_USE`, `ADDRESS_UNAVAILABLE`
 */
export async function bind(http: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    await http.listen({host, port})
  } catch (error) {
    if (isSystemError(error, 'EADDRINUSE')) {
      throw new ResourceError('PORT_IN_USE', `port ${port} of ${host} is in use`, {
        cause: error,
        suggestions: ['--port 0 takes a free one', `ss -ltnp 'sport = :${port}' names who has it`],
      })
    }
    if (isSystemError(error, 'EADDRNOTAVAIL', 'EACCES', 'ENOTFOUND', 'EAI_AGAIN')) {
      throw new ResourceError('ADDRESS_UNAVAILABLE', `cannot listen on ${host}:${port} (${error.code})`, {
        cause: error,
      })
    }
    throw error
  }
  const address = http.server.address() as AddressInfo
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${address.port}`
}
