export type {
  EngineObserver,
  EngineStats,
  FinishedRequest,
  FinishReason,
  GenerationEnd,
  GenerationRequest,
  TokenSink,
} from './types.js'
