import {EngineCore} from './core/engine-core.js'
import {stepTimer} from './core/timing/step-timer.js'
import {EmbeddedEngine} from './embedded-engine.js'
import {KvMemory} from './kv-memory.js'
import {timingModel, type EngineOptions} from './options.js'
import {ToyModel} from './toy-model.js'
import type {Engine} from './types.js'
import {UsagePublisher} from '../elastic/index.js'

/**
 * Starts an embedded engine: reserves its KV memory, makes its segment and begins to serve.
 *
 * @throws ConfigurationError when the options contradict each other
 * @throws ResourceError when memory or the segment cannot be had
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const {clock, logger} = options
  let engine: EmbeddedEngine | null = null
  const publisher = new UsagePublisher(
    options.segment,
    () => engine?.limitChanged(),
    error => logger.warn(`segment: ${error instanceof Error ? error.message : String(error)}`),
  )
  const memory = new KvMemory(publisher, options)
  try {
    const model = new ToyModel(memory, options)
    const timer = stepTimer(timingModel(options.timing), options.pace)
    const {eosTokenId} = options.vocabulary
    const core = new EngineCore(memory.source, model, timer, {...options, eosTokenId})
    await publisher.open(memory.manager.startupBytes)
    engine = new EmbeddedEngine({core, memory, publisher}, options)
    logger.debug(`engine: ${options.numBlocks} KV blocks, clock at ${clock.nowNs()} ns`)
    return engine
  } catch (error) {
    memory.reservation.release()
    throw error
  }
}
