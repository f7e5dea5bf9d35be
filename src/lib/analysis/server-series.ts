import type {BucketedHistogram} from '../metrics/index.js'
import {
  gpusOfServer,
  meanOfGpus,
  readTimeSeries,
  sumOfGpus,
  type RunDirectory,
  type TimeSample,
} from '../runs/index.js'
import {ColdSpanFinder, type ColdSpan} from './cold-starts.js'
import {Counter} from './counter.js'
import type {Slices} from './slices.js'

export const SERVER_SERIES = [
  'server_running',
  'server_waiting',
  'kv_cache_usage',
  'preemptions',
  'prefix_cache_hit_ratio',
  'segment_used_bytes',
  'gpu_utilization',
  'gpu_power_watts',
] as const
export type ServerSeriesName = (typeof SERVER_SERIES)[number]

/** The server's own histograms at one look. */
export interface HistogramLook {
  readonly atMs: number
  readonly byName: Readonly<Record<string, BucketedHistogram>>
}

/** What the time series of a run says of its server. */
export interface ServerSeries {
  /** One value for each slice; null where nobody looked. */
  readonly bySlice: Readonly<Record<ServerSeriesName, readonly (number | null)[]>>
  readonly histograms: readonly HistogramLook[]
  /** Growth from the first look to the last; null when it was not seen twice. */
  readonly grown: Readonly<Record<CounterName, number | null>>
  /** Looks at the server's own figures, that is all but those at segments and GPUs. */
  readonly engineLooks: number
  readonly coldSpans: readonly ColdSpan[]
}

const COUNTERS = [
  'preemptions_total',
  'prompt_tokens_total',
  'generation_tokens_total',
  'prefix_cache_queries_total',
  'prefix_cache_hits_total',
  'external_cache_queries_total',
  'external_cache_hits_total',
  'drafts_total',
  'draft_tokens_total',
  'accepted_tokens_total',
] as const
type CounterName = (typeof COUNTERS)[number]

/** Means of gauges and growth of counters in each slice. */
export async function readServerSeries(run: RunDirectory, slices: Slices): Promise<ServerSeries> {
  const sums = new Map(SERVER_SERIES.map(name => [name, new SliceSums(slices.count)]))
  const counters = new Map(COUNTERS.map(name => [name, new Counter()]))
  const histograms: HistogramLook[] = []
  const [queries, hits] = [new SliceSums(slices.count), new SliceSums(slices.count)]
  const cold = new ColdSpanFinder()
  let engineLooks = 0
  for await (const sample of readTimeSeries(run)) {
    const {at_ms: atMs, engine, segments, gpus} = sample
    const slice = slices.count === 0 ? -1 : slices.at(atMs * 1000)
    const put = (name: ServerSeriesName, value: number | null | undefined): void =>
      sums.get(name)!.add(slice, value ?? null)
    if (engine) {
      engineLooks++
      const grown = new Map(COUNTERS.map(name => [name, counters.get(name)!.add(engine[name], atMs)]))
      const totals = [engine.prompt_tokens_total, engine.generation_tokens_total]
      cold.add({atMs, totals, isAsleep: engine.is_asleep ?? null})
      put('server_running', engine.running)
      put('server_waiting', engine.waiting)
      put('kv_cache_usage', engine.kv_cache_usage)
      put('preemptions', grown.get('preemptions_total'))
      queries.add(slice, grown.get('prefix_cache_queries_total') ?? null)
      hits.add(slice, grown.get('prefix_cache_hits_total') ?? null)
      if (engine.histograms) histograms.push({atMs, byName: bucketsOf(engine.histograms)})
    }
    if (segments)
      put(
        'segment_used_bytes',
        segments.reduce((sum, {used_bytes: used}) => sum + used, 0),
      )
    if (gpus) {
      const serving = gpusOfServer(gpus)
      put(
        'gpu_utilization',
        meanOfGpus(serving, gpu => gpu.utilization),
      )
      put(
        'gpu_power_watts',
        sumOfGpus(serving, gpu => gpu.power_watts),
      )
    }
  }
  const bySlice = Object.fromEntries(
    SERVER_SERIES.map(name => [
      name,
      name === 'preemptions' ? sums.get(name)!.totals() : sums.get(name)!.means(),
    ]),
  ) as Record<ServerSeriesName, (number | null)[]>
  bySlice.prefix_cache_hit_ratio = ratios(hits.totals(), queries.totals())
  const grown = Object.fromEntries(COUNTERS.map(name => [name, counters.get(name)!.increase])) as Record<
    CounterName,
    number | null
  >
  return {bySlice, histograms, grown, engineLooks, coldSpans: cold.spans}
}

class SliceSums {
  readonly #sums: Float64Array
  readonly #counts: Uint32Array

  constructor(count: number) {
    this.#sums = new Float64Array(count)
    this.#counts = new Uint32Array(count)
  }

  add(slice: number, value: number | null): void {
    if (value === null || slice < 0) return
    this.#sums[slice]! += value
    this.#counts[slice]!++
  }

  means(): (number | null)[] {
    return Array.from(this.#sums, (sum, at) => (this.#counts[at] === 0 ? null : sum / this.#counts[at]!))
  }

  totals(): (number | null)[] {
    return Array.from(this.#sums, (sum, at) => (this.#counts[at] === 0 ? null : sum))
  }
}

function ratios(parts: readonly (number | null)[], wholes: readonly (number | null)[]): (number | null)[] {
  return parts.map((part, at) => {
    const whole = wholes[at] ?? null
    return part === null || whole === null || whole === 0 ? null : part / whole
  })
}

function bucketsOf(
  histograms: NonNullable<NonNullable<TimeSample['engine']>['histograms']>,
): Record<string, BucketedHistogram> {
  return Object.fromEntries(
    Object.entries(histograms).map(([name, {bounds, counts, sum}]) => [
      name,
      {bounds: bounds.map(bound => bound ?? Infinity), counts, sum},
    ]),
  )
}
