import {originEpochMs, readMetaIfAny, readRequests, type RunDirectory} from '../runs/index.js'
import {measuredRequests} from './measured-requests.js'
import {wholeSpan} from './run-figures.js'

/** From the first send of a run to the last end of body, Unix seconds; null where nothing ended. */
export async function runSpan(run: RunDirectory): Promise<{start: number; end: number} | null> {
  const meta = await readMetaIfAny(run)
  const table = await readRequests(run, meta && originEpochMs(meta), meta?.parts ?? [])
  const {startMs, endMs} = wholeSpan(measuredRequests(table))
  if (startMs === null || endMs === null || endMs <= startMs) return null
  return {start: table.epochMs(startMs) / 1000, end: table.epochMs(endMs) / 1000}
}
