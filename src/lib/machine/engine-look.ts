import type {EngineFigures, KvPage, KvPool} from '../inference/index.js'
import type {EngineAddress} from './find-engines.js'

/** An inference engine as its server tells it. */
export interface EngineLook extends EngineAddress {
  /** `silent`: something answers, but not as an engine. */
  readonly state: 'ok' | 'unreachable' | 'silent'
  readonly kind: KvPage['kind'] | null
  /** As its figures name it. */
  readonly model: string | null
  /** Where its weights come from, as vLLM's list of models says. */
  readonly modelRoot: string | null
  /** Null where it does not say. */
  readonly isAsleep: boolean | null
  readonly pools: readonly KvPool[]
  readonly figures: EngineFigures | null
  /** When the figures were read; null when they never were. */
  readonly readAtMs: number | null
}
