import * as z from 'zod'
import type {RunMeta, RunResults} from '../runs/index.js'
import type {MeasuredRequests} from './measured-requests.js'
import {groupJson} from './request-groups.js'

const planSchema = z.object({
  pattern: z.literal('stages'),
  stages: z.array(
    z.object({
      rate_per_second: z.number().nullable().default(null),
      concurrency: z.int().nullable().default(null),
      seconds: z.number(),
    }),
  ),
})
type Stage = z.output<typeof planSchema>['stages'][number]

/**
 * What each stage of a run was like, rates over its time: a request belongs to the stage that it was scheduled in, of a closed
 * loop to the one that it was sent in. Empty for a run without stages.
 */
export function stageGroups(measured: MeasuredRequests, meta: RunMeta): RunResults['stages'] {
  const stages = planSchema.safeParse(meta.plan).data?.stages ?? []
  if (stages.length === 0) return []
  const stageOf = placer(stages, measured, meta)
  const rows = stages.map((): number[] => [])
  for (const row of measured.sentRows) rows[stageOf(row)]!.push(row)
  const isOpen = meta.mode === 'open'
  return stages.map((stage, place) => ({
    ...stage,
    ...groupJson(measured.table, rows[place]!, stage.seconds, isOpen),
  }))
}

/** @returns the stage of a row; what comes before the first or after the last is theirs */
function placer(
  stages: readonly Stage[],
  {table, sentRows}: MeasuredRequests,
  {mode, parts}: RunMeta,
): (row: number) => number {
  if (mode === 'open' && parts.length > 1) return byOrder(stages, table.id, sentRows)
  const atUs = mode === 'open' ? table.scheduledAtUs : table.sentAtUs
  const firstUs = sentRows.reduce((first, row) => Math.min(first, atUs[row]!), Infinity)
  const startUs = (parts[0]?.measure_start_ms ?? firstUs / 1000) * 1000
  const endsUs = cumulated(stages.map(({seconds}) => seconds * 1e6))
  return row => placeOf(endsUs, atUs[row]! - startUs)
}

/** A resumed schedule leaves out what is done, so that its times say nothing: the ids of all stages ascend. */
function byOrder(stages: readonly Stage[], ids: Uint32Array, rows: Uint32Array): (row: number) => number {
  const first = rows.reduce((least, row) => Math.min(least, ids[row]!), Infinity)
  const ends = cumulated(stages.map(({rate_per_second: rate, seconds}) => Math.round((rate ?? 0) * seconds)))
  return row => placeOf(ends, ids[row]! - first)
}

function cumulated(values: readonly number[]): number[] {
  let sum = 0
  return values.map(value => (sum += value))
}

function placeOf(ends: readonly number[], at: number): number {
  const place = ends.findIndex(end => at < end)
  return place < 0 ? ends.length - 1 : place
}
