import {z} from 'zod'
import {JOB_STAGES, JOB_STATUSES, RUN_VIEWS} from '../../lib/jobs/index.js'
import {integer} from './json-schema.js'

const instant = z.string().nullable().describe('ISO 8601, UTC')
const figure = z.number().nullable()

export const job = z.strictObject({
  run_id: z.string(),
  status: z.enum(JOB_STATUSES),
  stage: z.enum(JOB_STAGES).nullable(),
  namespace: z.string(),
  service: z.string().nullable(),
  profile: z.string(),
  labels: z.record(z.string(), z.string()),
  created_at: z.string(),
  started_at: instant,
  updated_at: z.string(),
  ended_at: instant,
  exit_code: integer
    .nullable()
    .describe('as kvctl bench would leave: 5 when a rule of the profile is missed'),
  error: z.strictObject({code: z.string(), message: z.string()}).nullable(),
  progress: z
    .strictObject({
      total: integer.describe('requests, warm-up included'),
      sent: integer,
      completed: integer.describe('failed ones included'),
      failed: integer,
      in_flight: integer,
      percent: z.number(),
    })
    .nullable(),
  live: z
    .strictObject({
      throughput_rps: figure,
      p95_latency_ms: figure,
      avg_ttft_ms: figure,
      tokens_per_second: figure,
    })
    .nullable()
    .describe('of the last 10 s'),
})

export const status = z.strictObject({
  state: z.enum(['idle', 'running']),
  active: job.nullable(),
  queued: z.array(job),
  recent: z.array(job).describe('the last 20 that ended, newest first'),
})
export const statusQuery = z.strictObject({
  run_id: z.string().optional().describe('that run alone'),
})

export const accepted = z.strictObject({
  run_id: z.string(),
  status: z.enum(JOB_STATUSES),
  position: integer.describe('how many run before it'),
  links: z.strictObject({status: z.string(), results: z.string()}),
})
export const dryRun = z.strictObject({
  valid: z.literal(true),
  plan: z.record(z.string(), z.unknown()).describe('as kvctl bench --dry-run --json'),
  warnings: z.array(z.string()),
})
export const cancelled = z.strictObject({run_id: z.string(), status: z.enum(JOB_STATUSES)})

export const runParams = z.strictObject({run_id: z.string().describe('as POST /api/v1/benchmark answered')})
export const resultsQuery = z.strictObject({
  view: z.enum(RUN_VIEWS).default('results').describe('report is HTML, requests CSV'),
})
export const runsQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,3}$/)
    .optional()
    .describe('1 to 200, 50 unless given'),
  cursor: z.string().optional().describe('next of the page before'),
})
export const runs = z.strictObject({
  runs: z.array(
    z.strictObject({
      run_id: z.string(),
      status: z.enum(JOB_STATUSES),
      profile: z.string().nullable(),
      service: z.string().nullable(),
      model: z.string().nullable(),
      started_at: instant,
      ended_at: instant,
    }),
  ),
  next: z.string().nullable(),
})
export const profiles = z.strictObject({
  profiles: z.array(z.strictObject({name: z.string(), description: z.string().nullable()})),
})
