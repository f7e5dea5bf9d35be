import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import * as z from 'zod'
import {ConfigurationError, isSystemError, ResourceError, withoutSecrets} from '../foundation/index.js'
import {writeJsonAtomic} from './atomic-write.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'

export const RUN_STATUSES = ['running', 'complete', 'interrupted', 'failed'] as const

const errorSchema = z.object({p50: z.number(), p99: z.number()})

/** The load generator measured: its error at the run's load, against a server that tells when it really sent each token. */
export const calibrationSchema = z.object({
  streams: z.int().positive(),
  requests: z.int().nonnegative(),
  /** Token-bearing chunks a second. */
  chunks_per_second: z.number(),
  ttft_error_ms: errorSchema,
  gap_error_ms: errorSchema,
})
export type CalibrationJson = z.output<typeof calibrationSchema>

/** What the load generator found out about itself; every figure null when it could not be measured. */
export const instrumentSchema = z.looseObject({
  /** Upper bound of the error of one TTFT, 99th percentile. */
  ttft_error_p99_ms: z.number().nullable(),
  /** The same of one gap. */
  gap_error_p99_ms: z.number().nullable(),
  /** Largest share of one core that a load process used, 0–1. */
  cpu_share_max: z.number().nullable(),
  /** How late requests were sent for reasons of the client alone: without waiting for a free place or a connection. */
  lateness_p99_ms: z.number().nullable().default(null),
  /** Load processes. */
  workers: z.int().positive(),
  /** Share of the time in which a load process was ready and the machine ran something else; the worst one's. */
  processor_wait_share_max: z.number().nullable().default(null),
  /** Null without `--calibrate`. */
  calibration: calibrationSchema.nullable().default(null),
})

/**
 * A stretch of a run: from its start, or from a resumption, to its end. Time between parts, in which nothing ran, is no part
 * of run time; instants of `timeseries.jsonl` are run time, those of `requests.csv` are wall-clock.
 */
export const partSchema = z.looseObject({
  /** Wall-clock time of the part's own monotonic origin. */
  origin_epoch_ms: z.number(),
  /** The same instant on the monotonic clock of the machine that measured, which other logs of that machine may have. */
  origin_monotonic_ms: z.number().nullable().default(null),
  /** Run time at that origin; 0 for the first part. */
  run_ms: z.number().nonnegative(),
  /** Rows of `requests.csv` that earlier parts left. */
  rows_before: z.int().nonnegative(),
  /** Requests that earlier parts had sent, or should have, without a result; this part sends them again. */
  sent_again: z.int().nonnegative().default(0),
  url: z.string().nullable().default(null),
  /** When the measured phase began, run time; null when this part never reached it. */
  measure_start_ms: z.number().nullable().default(null),
  /** Null when the part was killed. */
  instrument: instrumentSchema.nullable().default(null),
})
export type RunPart = z.output<typeof partSchema>

const serverSchema = z.looseObject({
  version: z.string().nullable().default(null),
  max_model_len: z.number().nullable().default(null),
  /** True when kvctl started this engine itself. */
  is_embedded: z.boolean().default(false),
  pid: z.int().nullable().default(null),
  segment: z.string().nullable().default(null),
})

/**
 * `meta.json`: what was asked, of whom, with what, and when. The keys up to `test_start_time` are upstream's; the others are
 * ours and optional on reading, so that upstream's own files are read too.
 *
 * @see Siryoos/kserve-vllm-mini:scripts/loadtest.py
 */
export const metaSchema = z.looseObject({
  url: z.string().nullable().default(null),
  /** Every server that requests went to in turn, the first again included; empty in files of other tools. */
  urls: z.array(z.string()).default([]),
  model: z.string().nullable().default(null),
  prompt: z.string().nullable().default(null),
  max_tokens: z.int().nullable().default(null),
  concurrency: z.int().nullable().default(null),
  /** Requests of the plan, warm-up not counted. */
  requests: z.int().nullable().default(null),
  pattern: z.string().nullable().default(null),
  duration_sec: z.number().nullable().default(null),
  target_rps: z.number().nullable().default(null),
  /** Epoch seconds. */
  test_start_time: z.number().nullable().default(null),

  schema_version: z.literal(1).default(1),
  run_id: z.string().optional(),
  status: z.enum(RUN_STATUSES).default('complete'),
  tool_version: z.string().nullable().default(null),
  started_at: z.iso.datetime({offset: true}).nullable().default(null),
  ended_at: z.iso.datetime({offset: true}).nullable().default(null),
  /** Wall-clock time of the run's origin: instants of `requests.csv` and `timeseries.jsonl` are this plus monotonic time. */
  origin_epoch_ms: z.number().nullable().default(null),
  namespace: z.string().nullable().default(null),
  service: z.string().nullable().default(null),
  /** The resolved profile, in full. */
  profile: z
    .looseObject({
      metadata: z.looseObject({name: z.string()}).optional(),
      /** Limits by rule. */
      validation: z.record(z.string(), z.number().optional()).optional(),
    })
    .nullable()
    .default(null),
  /** Closed: workers that wait for their answer. Open: requests sent on a schedule. */
  mode: z.enum(['closed', 'open']).nullable().default(null),
  stream: z.boolean().nullable().default(null),
  seed: z.number().nullable().default(null),
  endpoint: z.string().nullable().default(null),
  timeout_ms: z.looseObject({}).nullable().default(null),
  /** Everything that decides which requests are sent when, so that an unfinished run can be resumed. */
  plan: z.looseObject({}).nullable().default(null),
  /** In order; empty in files of other tools and until the clock of the first part starts. */
  parts: z.array(partSchema).default([]),
  warmup_requests: z.int().nonnegative().default(0),
  /** What a good request takes at most, ms; null without goals. */
  slo: z
    .object({ttft: z.number(), tpot: z.number(), max_gap: z.number(), e2e: z.number()})
    .partial()
    .nullable()
    .default(null),
  /** What the run as a whole should keep, in short form, such as `p95(ttft) <= 500ms`. */
  objectives: z.array(z.string()).default([]),
  /** Load processes, and what they read answers with. */
  workers: z.int().positive().default(1),
  transport: z.enum(['socket', 'undici']).default('socket'),
  args: z.array(z.string()).default([]),
  client: z
    .looseObject({
      host: z.string(),
      cpus: z.int(),
      node_version: z.string(),
      /** The process that writes this run. */
      pid: z.int().nullable().default(null),
    })
    .nullable()
    .default(null),
  server: serverSchema.nullable().default(null),
  instrument: instrumentSchema.nullable().default(null),
  /** Figures of the load generator that contradict the server's, and other doubts raised while the run lasted. */
  warnings: z.array(z.object({code: z.string(), message: z.string()})).default([]),
})
export type RunMeta = z.output<typeof metaSchema>
export type Instrument = z.output<typeof instrumentSchema>

/**
 * Writes `meta.json`, secrets removed: once when a run starts (`status` running) and again when it ends.
 *
 * @throws ResourceError `DISK_FULL`, `NOT_WRITABLE`
 */
export async function writeMeta(run: RunDirectory, meta: z.input<typeof metaSchema>): Promise<void> {
  await writeJsonAtomic(join(run.path, RUN_FILES.meta), withoutSecrets(metaSchema.parse(meta)))
}

/**
 * Reads `meta.json`; upstream's own form is completed with nulls.
 *
 * @throws ResourceError `RUN_INCOMPLETE` when there is none
 * @throws ConfigurationError `RUN_UNREADABLE`
 */
export async function readMeta(run: RunDirectory): Promise<RunMeta> {
  return readDocument(join(run.path, RUN_FILES.meta), metaSchema)
}

/** As {@link readDocument}; null where there is none. */
export async function readDocumentIfAny<S extends z.ZodType>(
  path: string,
  schema: S,
): Promise<z.output<S> | null> {
  try {
    return await readDocument(path, schema)
  } catch (error) {
    if (error instanceof ResourceError) return null
    throw error
  }
}

/** Null for a directory of another tool that has none. @throws ConfigurationError `RUN_UNREADABLE` */
export async function readMetaIfAny(run: RunDirectory): Promise<RunMeta | null> {
  return readDocumentIfAny(join(run.path, RUN_FILES.meta), metaSchema)
}

/** Unix milliseconds of the run's origin; null where the file does not say. */
export function originEpochMs({
  origin_epoch_ms: origin,
  test_start_time: startSeconds,
}: Pick<RunMeta, 'origin_epoch_ms' | 'test_start_time'>): number | null {
  return origin ?? (startSeconds === null ? null : startSeconds * 1000)
}

/** Reads one JSON document of a run and checks it against its schema. */
export async function readDocument<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT'))
      throw new ResourceError('RUN_INCOMPLETE', `there is no ${path}`, {cause: error})
    throw error
  }
  try {
    return schema.parse(JSON.parse(text))
  } catch (error) {
    const why =
      error instanceof z.ZodError
        ? z.prettifyError(error).replaceAll(/\s*\n\s*/g, ' ')
        : (error as Error).message
    throw new ConfigurationError('RUN_UNREADABLE', `${path} is not readable: ${why}`, {cause: error})
  }
}
