import {open} from 'node:fs/promises'
import {join} from 'node:path'
import * as z from 'zod'
import {isSystemError} from '../foundation/index.js'
import {strictJson} from './atomic-write.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'
import {writeFailure} from './write-failure.js'

/** Of an engine's own histogram; counts are cumulative totals since its start, bounds in seconds, null for infinity. */
const histogramSchema = z.object({
  bounds: z.array(z.number().nullable()),
  counts: z.array(z.number()),
  sum: z.number(),
})

/**
 * One line of `timeseries.jsonl`: what was seen at one moment of the run. A part that could not be looked at is left out;
 * counters are totals since the server's start.
 */
export const timeSampleSchema = z.looseObject({
  /** Milliseconds on the monotonic clock since the run's origin. */
  at_ms: z.number(),
  /** How long the look took: what it shows lies between `at_ms` and so much later. */
  took_ms: z.number().optional(),
  engine: z
    .looseObject({
      running: z.number().nullable(),
      waiting: z.number().nullable(),
      /** 0–1 over the engine's start-up block count. */
      kv_cache_usage: z.number().nullable(),
      preemptions_total: z.number().nullable(),
      prompt_tokens_total: z.number().nullable(),
      generation_tokens_total: z.number().nullable(),
      prefix_cache_queries_total: z.number().nullable(),
      prefix_cache_hits_total: z.number().nullable(),
      external_cache_queries_total: z.number().nullish(),
      external_cache_hits_total: z.number().nullish(),
      drafts_total: z.number().nullish(),
      draft_tokens_total: z.number().nullish(),
      accepted_tokens_total: z.number().nullish(),
      /** Null where the engine does not say. */
      is_asleep: z.boolean().nullish(),
      /** Only at some looks, the first and the last among them. */
      histograms: z
        .partialRecord(z.enum(['ttft', 'itl', 'e2e', 'queue', 'prefill', 'decode']), histogramSchema)
        .optional(),
    })
    .optional(),
  segments: z
    .array(
      z.object({
        name: z.string(),
        limit_bytes: z.number(),
        used_bytes: z.number(),
        prealloc_bytes: z.number(),
      }),
    )
    .optional(),
  /** The engine's own processes together, where it runs on this machine. */
  process: z.looseObject({cpu_seconds: z.number(), rss_bytes: z.number()}).optional(),
  gpus: z
    .array(
      z.looseObject({
        index: z.int(),
        /** Product, as the driver names it. */
        name: z.string().nullish(),
        /** 0–1 */
        utilization: z.number().nullable(),
        memory_used_bytes: z.number().nullable(),
        power_watts: z.number().nullable(),
        memory_total_bytes: z.number().nullish(),
        temperature_celsius: z.number().nullish(),
        /** Total since the driver was loaded, or since sampling began. */
        energy_joules: z.number().nullish(),
        energy_source: z.enum(['counter', 'integrated_power']).nullish(),
        /** Whether a process of the server holds memory on it; null where that cannot be seen. */
        serves: z.boolean().nullish(),
        /** The parts of a GPU in MIG mode. */
        mig_devices: z
          .array(
            z.looseObject({
              index: z.int(),
              /** Product and profile, such as `NVIDIA A100-SXM4-40GB MIG 1g.5gb`. */
              name: z.string().nullable(),
              serves: z.boolean().nullable(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
  /** Something that was done to the run, such as a changed limit. */
  event: z.looseObject({name: z.string(), detail: z.string()}).optional(),
})
export type TimeSample = z.output<typeof timeSampleSchema>

export interface TimeSeriesWriter {
  append(sample: TimeSample): Promise<void>
  close(): Promise<void>
}

/**
 * Appends to `timeseries.jsonl`, one line a sample; behind a line that a kill has torn, a new one begins.
 *
 * @throws ResourceError `DISK_FULL`, `NOT_WRITABLE`
 */
export async function createTimeSeriesWriter(run: RunDirectory): Promise<TimeSeriesWriter> {
  const path = join(run.path, RUN_FILES.timeSeries)
  const failing = (error: unknown): never => {
    throw writeFailure(error, path)
  }
  const file = await open(path, 'a').catch(failing)
  const {size} = await file.stat()
  // An empty line is no sample: readers pass over it.
  let tail: Promise<void> = size === 0 ? Promise.resolve() : file.appendFile('\n')
  return {
    append(sample) {
      const line = `${strictJson(sample, 0)}\n`
      tail = tail.then(() => file.appendFile(line)).catch(failing)
      // `close` tells it, also where nobody waits for a single sample.
      tail.catch(() => undefined)
      return tail
    },
    async close() {
      try {
        await tail
      } finally {
        await file.close()
      }
    },
  }
}

/** The samples in file order, none when there is no file; lines that are no sample, such as one torn by a kill, are left out. */
export async function* readTimeSeries(run: RunDirectory): AsyncGenerator<TimeSample> {
  let file
  try {
    file = await open(join(run.path, RUN_FILES.timeSeries))
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return
    throw error
  }
  for await (const line of file.readLines()) {
    const sample = parseSample(line)
    if (sample) yield sample
  }
}

function parseSample(line: string): TimeSample | null {
  try {
    return timeSampleSchema.safeParse(JSON.parse(line)).data ?? null
  } catch {
    return null // a torn line is not JSON
  }
}
