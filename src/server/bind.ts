import {mkdir, rm} from 'node:fs/promises'
import {connect, type AddressInfo} from 'node:net'
import {dirname} from 'node:path'
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

/**
 * Starts listening on a Unix socket, in the place of one that nobody listens on any more.
 *
 * @returns `unix:` and the path
 * @throws ResourceError `SOCKET_IN_USE`, `ADDRESS_UNAVAILABLE`
 */
export async function bindSocket(http: FastifyInstance, path: string): Promise<string> {
  if (await answers(path)) throw new ResourceError('SOCKET_IN_USE', `somebody listens on ${path} already`)
  try {
    await mkdir(dirname(path), {recursive: true})
    await rm(path, {force: true})
    await http.listen({path})
  } catch (error) {
    throw new ResourceError('ADDRESS_UNAVAILABLE', `cannot listen on ${path}: ${(error as Error).message}`, {
      cause: error,
    })
  }
  return `unix:${path}`
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  const isOpen = await new Promise<boolean>(resolve => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
  socket.destroy()
  return isOpen
}
