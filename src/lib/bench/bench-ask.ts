import type {RunMeta} from '../runs/index.js'
import type {BenchPlan} from './bench-plan.js'
import type {TransportKind} from './load-worker.js'
import type {ResumePoint} from './resume-point.js'

/** Whom to measure and what to write down about it. */
export interface BenchAsk {
  readonly plan: BenchPlan
  /** The unfinished run whose missing requests to send; null starts a new one. */
  readonly resume: ResumePoint | null
  /** Requests go to each in turn; none starts the embedded engine. */
  readonly urls: readonly string[]
  readonly model: string | null
  /**
   * Servers that sleep until a request comes, and what is below their address, such as `/v1`: they are asked for nothing before, so
   * that what waking takes is measured. Absent, they answer.
   */
  readonly asleep?: {readonly apiPath: string} | undefined
  readonly apiKey: string | null
  readonly isInsecure: boolean
  /** Load processes. */
  readonly workers: number
  readonly transport: TransportKind
  /** Ask the servers to forget the prompts they know, before anything is sent. */
  readonly resetsCache: boolean
  /** Measure the load generator itself at the end, against a server whose times are known. */
  readonly isCalibrated: boolean
  /** For `meta.json` only. */
  readonly notes: Partial<Pick<RunMeta, 'namespace' | 'service' | 'profile' | 'args' | 'slo' | 'objectives'>>
}
