export {countPromptTokens} from './count-tokens.js'
export {startEmbeddedEngine, type EmbeddedEngine} from './embedded-engine.js'
export {checkHealth} from './engine-health.js'
export {engineExtrasOf, engineFiguresOf, type EngineExtras, type EngineFigures} from './engine-figures.js'
export {
  addHistograms,
  engineHistogramsOf,
  type EngineHistogramName,
  type EngineHistograms,
  type HistogramTotals,
} from './engine-histograms.js'
export {kvPageOf, usedBlocks, type KvPage, type KvPool} from './kv-pools.js'
export {metricValues} from './metric-values.js'
export {fetchMetricsText, fetchModelRoot, fetchVersion} from './server-pages.js'
export {resetPrefixCache} from './reset-cache.js'
export {bearer, findTarget, type InferenceTarget, type TargetQuery} from './target.js'
export {isEngineSleeping, sleepEngine, wakeEngine, type SleepyEngine} from './engine-sleep.js'
