import {packageVersion, systemClock, type Logger} from '../lib/foundation/index.js'
import type {CacheFigures, CacheWorker} from '../lib/tiers/index.js'
import {createApiContext, type ApiContextOptions} from './api-context.js'
import {serveApi, type ListeningApi} from './api-server.js'
import {isLoopback} from './loopback.js'

const LIMITS = {maxRequests: 256, maxStreams: 1, maxProxied: 1}
const UNUSED_INTERVAL_MS = 60_000

export interface CacheServerOptions {
  readonly worker: CacheWorker
  readonly figures: CacheFigures | null
  /** What every surface of kvctl is made with, though this one shows none of it but in its metrics. */
  readonly parts: Pick<ApiContextOptions, 'segments' | 'router' | 'sampler' | 'machine'>
  readonly host: string
  readonly port: number
  /** Null asks for none. */
  readonly token: string | null
  readonly logger: Logger
}

/** The cache family alone, on a port of its own beside an engine. @throws ResourceError `PORT_IN_USE`, `ADDRESS_UNAVAILABLE` */
export async function serveCache(options: CacheServerOptions): Promise<ListeningApi> {
  const {worker, figures, parts, host, port, token, logger} = options
  const context = createApiContext({
    ...parts,
    ...{cache: worker, cacheFigures: figures, jobs: null, hasDcgmNames: false, clock: systemClock, logger},
    version: packageVersion,
    limits: LIMITS,
    segmentIntervalMs: UNUSED_INTERVAL_MS,
    slowClientMs: UNUSED_INTERVAL_MS,
  })
  return serveApi(context, host, [{port, families: ['cache']}], {
    token,
    isForThisMachine: token === null && isLoopback(host),
    corsOrigins: [],
  })
}
