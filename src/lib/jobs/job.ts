import * as z from 'zod'
import type {LiveFigures, Observations} from './live-figures.js'

export const JOB_STATUSES = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const
export type JobStatus = (typeof JOB_STATUSES)[number]
export const JOB_STAGES = [
  'validate',
  'deploy',
  'warmup',
  'load',
  'probe',
  'analyze',
  'cost',
  'report',
] as const
export type JobStage = (typeof JOB_STAGES)[number]

const instant = z.iso.datetime().nullable()

/** `job.json` of a run directory: what a benchmark service was asked for, and what became of it. */
export const jobFileSchema = z.object({
  schema_version: z.literal(1),
  run_id: z.string(),
  status: z.enum(JOB_STATUSES),
  namespace: z.string(),
  service: z.string().nullable(),
  profile: z.string(),
  labels: z.record(z.string(), z.string()),
  created_at: z.iso.datetime(),
  started_at: instant,
  ended_at: instant,
  exit_code: z.int().nullable(),
  error: z.object({code: z.string(), message: z.string()}).nullable(),
  /** Of the service that runs it; with the start time it names one process for ever. */
  owner: z.object({pid: z.int(), start_ticks: z.number().nullable()}),
  /** SHA-256 of the request, and the `Idempotency-Key` it came with. */
  request_sha256: z.string(),
  idempotency_key: z.string().nullable(),
})
export type JobFile = z.output<typeof jobFileSchema>

export interface JobProgress {
  /** Requests, warm-up included; `completed` counts failed ones too. */
  readonly total: number
  readonly sent: number
  readonly completed: number
  readonly failed: number
  readonly in_flight: number
  readonly percent: number
}

/** What the process of a run tells. */
export type JobReport =
  | {readonly kind: 'stage'; readonly stage: JobStage}
  | {
      readonly kind: 'progress'
      readonly progress: JobProgress
      readonly live: LiveFigures
      readonly observations: Observations
    }
  | {
      readonly kind: 'ended'
      readonly status: 'completed' | 'failed' | 'cancelled'
      readonly exitCode: number
      readonly error: JobFile['error']
    }

/** A job as `GET /api/v1/status` shows it. */
export interface JobJson {
  readonly run_id: string
  readonly status: JobStatus
  readonly stage: JobStage | null
  readonly namespace: string
  readonly service: string | null
  readonly profile: string
  readonly labels: Readonly<Record<string, string>>
  readonly created_at: string
  readonly started_at: string | null
  readonly updated_at: string
  readonly ended_at: string | null
  readonly exit_code: number | null
  readonly error: JobFile['error']
  readonly progress: JobProgress | null
  readonly live: LiveFigures | null
}
