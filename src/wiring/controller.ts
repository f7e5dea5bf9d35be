import type {Balancer} from '../lib/balance/index.js'
import type {Logger} from '../lib/foundation/index.js'
import type {BalanceConfig, ControllerConfig, Router} from '../lib/router/index.js'
import type {LaunchParts} from '../lib/launch/index.js'
import {segmentStore} from './segments.js'

/** The balancer of segment limits, with connections of its own that `close` ends. */
export async function balancerFor(
  config: BalanceConfig,
  logger: Logger,
): Promise<Balancer & {close(): Promise<void>}> {
  const {Balancer} = await import('../lib/balance/index.js')
  const {systemClock} = await import('../lib/foundation/index.js')
  const {createHttpClient} = await import('../lib/http/index.js')
  const http = createHttpClient()
  const segments = await segmentStore(logger)
  const balancer = new Balancer({segments, http, clock: systemClock, logger}, config)
  return Object.assign(balancer, {close: () => http.close()})
}

/** The router over its own connections. */
export async function routerFor(config: ControllerConfig, logger: Logger): Promise<Router> {
  const {systemClock} = await import('../lib/foundation/index.js')
  const {createHttpClient, createRelayPool} = await import('../lib/http/index.js')
  const {Router} = await import('../lib/router/index.js')
  return new Router(config, {
    http: createHttpClient(),
    createPool: createRelayPool,
    clock: systemClock,
    logger,
  })
}

/**
 * What `kvctl launch` starts programs with; `close` ends its connections. Programs end with this process even where it is
 * killed: another one sees to it.
 *
 * @param stopMs between SIGTERM and SIGKILL in that case
 */
export async function launchParts(
  logger: Logger,
  stopMs: number,
): Promise<LaunchParts & {close(): Promise<void>}> {
  const {systemClock} = await import('../lib/foundation/index.js')
  const {createHttpClient} = await import('../lib/http/index.js')
  const {checkHealth} = await import('../lib/inference/index.js')
  const {engineSegments} = await import('../lib/launch/index.js')
  const {startGroupGuard, startProgram, whoListens} = await import('../lib/processes/index.js')
  const http = createHttpClient()
  const segments = engineSegments(await segmentStore(logger))
  const guard = startGroupGuard()
  return {
    start({file, args, env}, onLine) {
      const program = startProgram(file, args, {env, onLine})
      const {pid} = program
      guard.watch(pid, stopMs)
      void program.ended.then(() => guard.forget(pid))
      return program
    },
    isHealthy: url => checkHealth(http, url, null),
    clearSegment: (command, pid) => segments.clear(command, pid),
    findSegment: (command, pid) => segments.find(command, pid),
    whoListens,
    clock: systemClock,
    async close() {
      await Promise.all([guard.close(), http.close()])
    },
  }
}
