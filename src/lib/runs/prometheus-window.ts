import {join} from 'node:path'
import * as z from 'zod'
import {writeJsonAtomic} from './atomic-write.js'
import {readDocumentIfAny} from './meta.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'

const seriesSchema = z.object({
  labels: z.record(z.string(), z.string()),
  /** Unix seconds and value. */
  samples: z.array(z.tuple([z.number(), z.number()]).readonly()).readonly(),
})

/** `prometheus.json`: what a Prometheus had scraped of the server over the window of a run, and a little around it. */
export const prometheusWindowSchema = z.object({
  schema_version: z.literal(1),
  /** Without credentials. */
  url: z.string(),
  namespace: z.string().nullable(),
  /** Null: series of everything that is scraped. */
  service: z.string().nullable(),
  /** Unix seconds. */
  start: z.number(),
  end: z.number(),
  /** The expression that gave each. */
  queries: z.record(z.string(), z.string()),
  series: z.record(z.string(), z.array(seriesSchema)),
  /** Growth over the window, of seconds; bounds ascending, null for infinity, counts cumulative. */
  histograms: z.record(
    z.string(),
    z.object({bounds: z.array(z.number().nullable()), counts: z.array(z.number()), sum: z.number()}),
  ),
  /** What no expression had data for. */
  missing: z.array(z.string()),
})
export type PrometheusWindow = z.output<typeof prometheusWindowSchema>

/** @throws ResourceError `DISK_FULL`, `NOT_WRITABLE` */
export async function writePrometheusWindow(run: RunDirectory, window: PrometheusWindow): Promise<void> {
  await writeJsonAtomic(join(run.path, RUN_FILES.prometheus), window)
}

/** Null for a run that no Prometheus was asked about. @throws ConfigurationError `RUN_UNREADABLE` */
export async function readPrometheusWindow(run: RunDirectory): Promise<PrometheusWindow | null> {
  return readDocumentIfAny(join(run.path, RUN_FILES.prometheus), prometheusWindowSchema)
}
