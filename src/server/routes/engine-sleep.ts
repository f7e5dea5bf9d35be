import type {FastifyInstance} from 'fastify'
import {ResourceError} from '../../lib/foundation/index.js'
import {ApiError} from '../api-error.js'
import type {EngineAppContext} from '../engine-app-context.js'
import {parseQuery} from '../schemas/parse-body.js'
import {pauseQuery, resetQuery, sleepQuery, wakeQuery} from '../schemas/sleep.js'

export interface EngineSleepOptions {
  /** False: the paths answer, and nothing sleeps, as vLLM without `--enable-sleep-mode`. */
  readonly canSleep: boolean
}

/**
 * What vLLM has in its development mode only: sleep, pause, cache reset, configuration. Bodies are ignored.
 *
 * @see vllm-project/vllm:vllm/entrypoints/serve/sleep and vllm/entrypoints/serve/cache
 */
export function engineSleepRoutes(
  app: FastifyInstance,
  {engine, serverInfo}: EngineAppContext,
  {canSleep}: EngineSleepOptions,
): void {
  app.post('/sleep', async (request, reply) => {
    const {level, mode} = parseQuery(sleepQuery, request.query)
    if (canSleep) await orFailure(() => engine.sleep(level, mode))
    return reply.send()
  })
  app.post('/wake_up', async (request, reply) => {
    const {tags} = parseQuery(wakeQuery, request.query)
    await orFailure(() => engine.wakeUp(tags ?? null))
    return reply.send()
  })
  app.get('/is_sleeping', () => ({is_sleeping: engine.stats().isSleeping}))

  app.post('/pause', async request => {
    const {mode, clear_cache: clearsCache} = parseQuery(pauseQuery, request.query)
    await orFailure(() => engine.sleep(0, mode))
    if (clearsCache) engine.resetPrefixCache(true)
    return {status: 'paused'}
  })
  app.post('/resume', async () => {
    if (engine.stats().isPaused) await orFailure(() => engine.wakeUp(null))
    return {status: 'resumed'}
  })
  app.get('/is_paused', () => ({is_paused: engine.stats().isPaused}))

  app.post('/reset_prefix_cache', (request, reply) => {
    // As vLLM: 200 whether or not a running request kept it from happening.
    const {reset_running_requests: preemptsRunning} = parseQuery(resetQuery, request.query)
    engine.resetPrefixCache(preemptsRunning)
    return reply.send()
  })
  app.get('/server_info', request => serverInfo(isText(request.query)))
}

/** vLLM writes its configuration as one string unless JSON is asked for. */
function isText(query: unknown): boolean {
  return (query as Record<string, unknown>)['config_format'] !== 'json'
}

async function orFailure(act: () => Promise<void> | void): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (error instanceof ResourceError) throw new ApiError(500, error.message)
    throw error
  }
}
