import {percentile, sweepConcurrency, type RequestTimes, bodyLatencyMs, ttftMs} from '../metrics/index.js'
import {RequestCursor, type RunResults} from '../runs/index.js'
import type {MeasuredRequests} from './measured-requests.js'
import {rounded} from './rounding.js'
import {SERVER_SERIES, type ServerSeries, type ServerSeriesName} from './server-series.js'
import type {Slices} from './slices.js'
import type {TokenArrivals} from './token-arrivals.js'

type Timeline = RunResults['timeline']

/** What happened in each slice of the run, for charts. */
export function timeline(
  measured: MeasuredRequests,
  arrivals: TokenArrivals,
  slices: Slices,
  server: ServerSeries,
): Timeline {
  const {table, sentRows} = measured
  const completed = new Array<number>(slices.count).fill(0)
  const failed = new Array<number>(slices.count).fill(0)
  for (const row of sentRows) {
    const done = table.doneAtUs[row]!
    if (!Number.isNaN(done)) (table.outcome[row] === 0 ? completed : failed)[slices.at(done)]!++
  }
  const ttft = samplesBySlice(measured, slices, table.firstTokenAtUs, ttftMs)
  const latency = samplesBySlice(measured, slices, table.doneAtUs, bodyLatencyMs)
  const icl = (q: number): (number | null)[] =>
    arrivals.iclBySlice.map(histogram => {
      const us = histogram.percentile(q)
      return rounded(us === null ? null : us / 1000)
    })
  const seconds = slices.widthUs / 1e6
  return {
    slice_seconds: seconds,
    start_seconds: completed.map((_, index) => rounded(index * seconds)!),
    requests_completed: completed,
    requests_failed: failed,
    tokens: [...arrivals.tokensBySlice],
    in_flight_mean: inFlightMean(measured, slices),
    ttft_p50_ms: ttft.map(samples => rounded(percentile(samples, 0.5))),
    ttft_p95_ms: ttft.map(samples => rounded(percentile(samples, 0.95))),
    latency_p95_ms: latency.map(samples => rounded(percentile(samples, 0.95))),
    icl_p50_ms: icl(0.5),
    icl_p95_ms: icl(0.95),
    ...serverTimeline(server),
  }
}

function serverTimeline({bySlice}: ServerSeries): Record<ServerSeriesName, (number | null)[]> {
  const series = SERVER_SERIES.map(name => {
    const values = bySlice[name].map(value => rounded(value))
    return [name, values.every(value => value === null) ? [] : values]
  })
  return Object.fromEntries(series) as Record<ServerSeriesName, (number | null)[]>
}

/** Successful requests' values of a metric, sorted, by the slice in which `atUs` falls. */
function samplesBySlice(
  {table, sentRows}: MeasuredRequests,
  slices: Slices,
  atUs: Float64Array,
  metric: (request: RequestTimes) => number | null,
): Float64Array[] {
  const isSample = (row: number): boolean => table.outcome[row] === 0 && !Number.isNaN(atUs[row]!)
  const counts = new Uint32Array(slices.count)
  for (const row of sentRows) if (isSample(row)) counts[slices.at(atUs[row]!)]!++
  const groups = Array.from(counts, count => new Float64Array(count))
  const filled = new Uint32Array(slices.count)
  const request = new RequestCursor(table)
  for (const row of sentRows) {
    if (!isSample(row)) continue
    const slice = slices.at(atUs[row]!)
    groups[slice]![filled[slice]!++] = metric(request.at(row))!
  }
  for (const group of groups) group.sort()
  return groups
}

function inFlightMean({inFlight}: MeasuredRequests, slices: Slices): number[] {
  const widthMs = slices.widthUs / 1000
  const area = new Float64Array(slices.count)
  sweepConcurrency(inFlight.startsMs, inFlight.endsMs, 0, slices.count * widthMs, (from, to, level) => {
    const last = slices.at(to * 1000)
    for (let slice = slices.at(from * 1000); slice <= last; slice++) {
      const overlap = Math.min(to, (slice + 1) * widthMs) - Math.max(from, slice * widthMs)
      area[slice]! += level * Math.max(0, overlap)
    }
  })
  return Array.from(area, weighted => rounded(weighted / widthMs)!)
}
