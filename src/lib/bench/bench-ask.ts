import type {RunMeta} from '../runs/index.js'
import type {BenchPlan} from './bench-plan.js'
import type {ResumePoint} from './resume-point.js'

/** Whom to measure and what to write down about it. */
export interface BenchAsk {
  readonly plan: BenchPlan
  /** The unfinished run whose missing requests to send; null starts a new one. */
  readonly resume: ResumePoint | null
  /** null starts the embedded engine. */
  readonly url: string | null
  readonly model: string | null
  readonly apiKey: string | null
  readonly isInsecure: boolean
  /** For `meta.json` only. */
  readonly notes: Partial<Pick<RunMeta, 'namespace' | 'service' | 'profile' | 'args'>>
}
