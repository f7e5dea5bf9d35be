import type {EngineMetrics} from './exposition/engine-metrics.js'
import type {Fault} from './fault-injection.js'
import type {GenerationPlan, ServedModel} from './generation/plan.js'
import type {RequestsInFlight} from './requests-in-flight.js'
import type {ServedEngine} from './served-engine.js'

/** What the routes share. */
export interface EngineAppContext {
  readonly engine: ServedEngine
  readonly model: ServedModel
  readonly version: string
  readonly systemFingerprint: string
  readonly inFlight: RequestsInFlight
  readonly metrics: EngineMetrics
  readonly slowClientMs: number
  readonly serverInfo: (asText: boolean) => object
  /** A request passed every check. */
  answered(plan: GenerationPlan): void
  nextSerial(): number
  /** What shall go wrong with the next request; null where nothing is injected. */
  nextFault(): Fault | null
}
