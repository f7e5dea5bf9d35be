export {createEngine} from './create-engine.js'
export {ElasticBlockPool, type BlockManager, type ElasticBlockPoolOptions} from './elastic-block-pool.js'
export {
  DEFAULT_KV,
  defaultEngineOptions,
  type EngineOptions,
  type TimingOptions,
  type Vocabulary,
} from './options.js'
export {findGpu, findModel} from './core/catalog/find.js'
export {GPUS, type GpuSpec} from './core/catalog/gpus.js'
export {kvBytesPerToken, parameterCount, type ModelShape} from './core/catalog/model-shape.js'
export {MODELS} from './core/catalog/models.js'
export {modelledBlocks, modelledWeightBytes, type PoolSizeOptions} from './core/catalog/pool-size.js'
export {readModelConfig} from './model-config.js'
export {SLEEP_TAGS} from './core/sleep-state.js'
export {LINEAR_DEFAULTS} from './core/timing/linear.js'
export type {
  ByteTarget,
  Engine,
  EngineObserver,
  EngineState,
  EngineStats,
  FinishedRequest,
  FinishReason,
  GenerationEnd,
  GenerationRequest,
  PauseMode,
  RequestState,
  SleepLevel,
  SleepTag,
  Submission,
  TokenGuide,
  TokenSink,
} from './types.js'
