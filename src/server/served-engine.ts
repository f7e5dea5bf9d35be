import type {EngineObserver, EngineStats, GenerationRequest, TokenSink} from '../lib/engine/index.js'

/** What the HTTP surface asks of an engine; `lib/engine`'s Engine is one. */
export interface ServedEngine {
  readonly maxModelLen: number
  /** @throws ConfigurationError for what can never run */
  submit(request: GenerationRequest, sink: TokenSink): {abort(): void}
  stats(): EngineStats
  /** A document of its insides, ready to be written as JSON. */
  state(): object
  observe(observer: EngineObserver): void
}
