import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import * as z from 'zod'
import type {RunDirectory} from '../runs/index.js'

const probeSchema = z.looseObject({
  rtt: z.looseObject({p50_ms: z.number().nullish(), p95_ms: z.number().nullish()}).nullish(),
  s3: z.looseObject({avg_MBps: z.number().nullish()}).nullish(),
})

/** What upstream's network and storage probe found, where a run has its `io_probe.json`. */
export interface IoProbe {
  readonly rttP50Ms: number | null
  readonly rttP95Ms: number | null
  readonly s3MegabytesPerSecond: number | null
}

/** A probe is an extra: a missing or unreadable one gives nulls. */
export async function readIoProbe(run: RunDirectory): Promise<IoProbe> {
  let probe: z.output<typeof probeSchema> = {}
  try {
    probe = probeSchema.parse(JSON.parse(await readFile(join(run.path, 'io_probe.json'), 'utf8')))
  } catch {
    // no probe was made, or not one that says anything
  }
  return {
    rttP50Ms: probe.rtt?.p50_ms ?? null,
    rttP95Ms: probe.rtt?.p95_ms ?? null,
    s3MegabytesPerSecond: probe.s3?.avg_MBps ?? null,
  }
}
