import type {Logger} from '../lib/foundation/index.js'
import {bind} from './bind.js'
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
  return {
    url: await bind(app.http, host, port),
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
