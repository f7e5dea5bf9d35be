import type {GpuSampler, GpusLook} from '../../src/lib/gpu/index.js'
import {createEngineWatch, createMachine} from '../../src/lib/machine/index.js'
import {silentLogger, systemClock} from '../../src/lib/foundation/index.js'
import {createHttpClient, createRelayPool} from '../../src/lib/http/index.js'
import {createIdentityWatch} from '../../src/lib/processes/index.js'
import {emptyControllerConfig, Router, type ControllerConfig} from '../../src/lib/router/index.js'
import {cacheFigures, embeddedCacheWorker} from '../../src/lib/tiers/index.js'
import type {SegmentStore} from '../../src/lib/segments/index.js'
import type {ApiAppOptions} from '../../src/server/api-app.js'
import {createApiContext, type ApiContext, type ApiContextOptions} from '../../src/server/api-context.js'
import {FAMILY_NAMES} from '../../src/server/api-families.js'
import {serveApi} from '../../src/server/api-server.js'
import {openSmallWorker} from './cache-worker.js'

export interface ApiServer {
  readonly url: string
  readonly context: ApiContext
  get(path: string, headers?: Record<string, string>): Promise<Response>
  send(method: string, path: string, body?: unknown): Promise<Response>
  close(drainMs?: number): Promise<void>
}

const NO_DRIVER: GpusLook = {
  takenAtMs: 0,
  tookMs: 0,
  driver: {state: 'no_library', problem: 'none', driverVersion: null, nvmlVersion: null, cudaVersion: null},
  gpus: [],
}

/** A machine whose driver says what a test wants. */
export function samplerOf(look: () => Promise<GpusLook> | GpusLook): GpuSampler {
  let rounds = 0
  return {
    async look() {
      rounds++
      return look()
    },
    rounds: () => rounds,
    close() {},
  }
}

/** The HTTP surface of `kvctl serve` on a real socket of 127.0.0.1, over whatever store a test brings. */
export async function serveStore(
  segments: SegmentStore,
  overrides: Partial<ApiContextOptions & ApiAppOptions & {readonly controller: ControllerConfig}> & {
    readonly engineUrls?: readonly string[]
  } = {},
): Promise<ApiServer> {
  const {sampler = samplerOf(() => NO_DRIVER), engineUrls = ['http://127.0.0.1:1']} = overrides
  const http = createHttpClient()
  const engines = createEngineWatch({configured: engineUrls, http, clock: systemClock, procFolder: '/proc'})
  const identities = createIdentityWatch(systemClock)
  const worker = await openSmallWorker()
  const router = new Router(overrides.controller ?? emptyControllerConfig, {
    ...{http: createHttpClient(), createPool: createRelayPool},
    ...{clock: overrides.clock ?? systemClock, logger: overrides.logger ?? silentLogger},
  })
  const context = createApiContext({
    ...{segments, router, sampler},
    machine: createMachine({sampler, segments, engines, identities, logger: silentLogger}),
    hasDcgmNames: false,
    jobs: null,
    cache: embeddedCacheWorker(worker),
    cacheFigures: cacheFigures(worker),
    clock: systemClock,
    logger: silentLogger,
    version: '0.1.0',
    limits: {maxRequests: 64, maxProxied: 256, maxStreams: 8},
    segmentIntervalMs: 5,
    slowClientMs: 10_000,
    ...overrides,
  })
  const listeners = [{port: 0, families: overrides.families ?? FAMILY_NAMES}]
  const api = await serveApi(context, '127.0.0.1', listeners, {
    token: null,
    isForThisMachine: true,
    corsOrigins: [],
    ...overrides,
  })
  const {url} = api.listeners[0]!
  return {
    url,
    context,
    get: (path, headers = {}) => fetch(url + path, {headers}),
    send: (method, path, body) =>
      fetch(url + path, {
        method,
        ...(body !== undefined && {
          headers: {'content-type': 'application/json'},
          body: typeof body === 'string' ? body : JSON.stringify(body),
        }),
      }),
    async close(drainMs = 0) {
      await api.close(drainMs)
      await worker.close()
      // A test may end its server before the one that ends all of them.
      await http.close().catch(() => undefined)
    },
  }
}
