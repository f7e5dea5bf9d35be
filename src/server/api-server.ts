import {createApiApp, type ApiAppOptions} from './api-app.js'
import type {ApiContext} from './api-context.js'
import type {Listener} from './plan-listeners.js'
import {bind, bindSocket} from './bind.js'
import {expectShortLives} from './short-lives.js'

export interface ListeningApi {
  readonly listeners: readonly {readonly url: string; readonly families: Listener['families']}[]
  /** Ends streams, refuses new requests, lets running ones end for at most `drainMs`, then closes every connection. */
  close(drainMs: number): Promise<void>
}

/**
 * Opens every listener, or none.
 *
 * @throws ResourceError `PORT_IN_USE`, `ADDRESS_UNAVAILABLE`
 */
export async function serveApi(
  context: ApiContext,
  host: string,
  listeners: readonly Listener[],
  access: Omit<ApiAppOptions, 'families'>,
): Promise<ListeningApi> {
  const {traffic, logger} = context
  expectShortLives()
  const apps = await Promise.all(listeners.map(({families}) => createApiApp(context, {...access, families})))
  const closeAll = async (): Promise<void> => {
    await Promise.all(apps.map(app => app.close()))
  }
  try {
    await context.router.start(context.metrics.router)
    const open = []
    for (const [index, {port, socketPath, families}] of listeners.entries()) {
      const app = apps[index]!
      const url = socketPath === undefined ? await bind(app, host, port) : await bindSocket(app, socketPath)
      open.push({url, families})
    }
    return {
      listeners: open,
      async close(drainMs) {
        if (traffic.requests > 0) logger.info(`waiting for ${traffic.requests} requests to end`)
        await traffic.drain(drainMs)
        await closeAll()
        await context.router.close()
      },
    }
  } catch (error) {
    await closeAll()
    await context.router.close()
    throw error
  }
}
