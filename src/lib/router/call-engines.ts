import {NetworkError, type Logger} from '../foundation/index.js'
import type {HttpClient} from '../http/index.js'
import {isEngineSleeping, sleepEngine, wakeEngine, type SleepyEngine} from '../inference/index.js'

/**
 * Calls every engine of a model. An engine that refuses is asked how it is: what it says counts more than the call.
 *
 * An engine that cannot be reached holds no memory, so it does not keep a model from sleeping; a model is awake when one of
 * its engines is.
 */
export async function callEngines(
  http: HttpClient,
  call: 'sleep' | 'wake',
  engines: readonly SleepyEngine[],
  logger: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  const results = await Promise.all(engines.map(engine => callOne(http, call, engine, logger, signal)))
  return call === 'sleep' ? results.every(done => done !== false) : results.some(done => done === true)
}

/** @returns null when nobody is there */
async function callOne(
  http: HttpClient,
  call: 'sleep' | 'wake',
  engine: SleepyEngine,
  logger: Logger,
  signal: AbortSignal,
): Promise<boolean | null> {
  try {
    await (call === 'sleep' ? sleepEngine(http, engine, signal) : wakeEngine(http, engine, signal))
    // vLLM without --enable-sleep-mode says yes and stays awake: its memory would be given away twice.
    if (call === 'wake' || (await isEngineSleeping(http, engine, signal)) !== false) return true
    logger.warn(`'${engine.model}' says that it sleeps and does not: start vLLM with --enable-sleep-mode`)
    return false
  } catch (error) {
    // The router ends; what the engine does meanwhile its successor finds out.
    if (signal.aborted) return false
    const why = error instanceof Error ? error.message : String(error)
    if (error instanceof NetworkError && error.code === 'ENDPOINT_UNREACHABLE') {
      logger.warn(`cannot ${call} '${engine.model}': ${why}`)
      return null
    }
    const isSleeping = await isEngineSleeping(http, engine, signal)
    const isDone = isSleeping === (call === 'sleep')
    const advice =
      'suggestions' in Object(error) ? (error as {suggestions: readonly string[]}).suggestions : []
    logger.warn(
      [`cannot ${call} '${engine.model}': ${why}`, ...(isDone ? ['it did nevertheless'] : advice)].join('; '),
    )
    return isDone
  }
}
