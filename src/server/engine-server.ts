import type {AddressInfo} from 'node:net'
import {isSystemError, ResourceError, type Logger} from '../lib/foundation/index.js'
import type {EngineApp} from './engine-app.js'

/** A listening engine. */
export interface EngineServer {
  readonly url: string
  /** Refuses new requests, lets running ones end for at most `drainMs`, then closes every connection. */
  close(drainMs: number): Promise<void>
}

/**
 * @param port 0 takes a free one
 * @throws ResourceError `PORT_IN_USE`, `ADDRESS_UNAVAILABLE`
 */
export async function listen(
  app: EngineApp,
  host: string,
  port: number,
  logger: Logger,
): Promise<EngineServer> {
  try {
    await app.http.listen({host, port})
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
  const address = app.http.server.address() as AddressInfo
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return {
    url: `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${address.port}`,
    async close(drainMs) {
      const left = app.inFlight.requests
      if (left > 0) logger.info(`waiting for ${left} requests to end`)
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>(resolve => (timer = setTimeout(resolve, drainMs)))
      await Promise.race([app.inFlight.drain(), late])
      clearTimeout(timer)
      await app.http.close()
    },
  }
}
