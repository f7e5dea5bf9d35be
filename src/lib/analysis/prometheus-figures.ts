import {energyOfWindow, sumOfEnergies, type EnergySample, type WindowEnergy} from '../cost/index.js'
import {bucketedPercentile, type BucketedHistogram} from '../metrics/index.js'
import type {PrometheusWindow, RunResults} from '../runs/index.js'
import type {ResourceMeans} from './resources.js'
import {ratio, rounded} from './rounding.js'

type Series = PrometheusWindow['series'][string][number]
type Sample = Series['samples'][number]

/**
 * Resources as Prometheus saw them stand before those of this machine, which may be another; what the server itself was asked
 * for (its cache) stands before what was scraped.
 */
export function withPrometheus(local: ResourceMeans, window: PrometheusWindow | null): ResourceMeans {
  if (window === null) return local
  const percent = meanOf(window, 'gpu_utilization')
  return {
    ...local,
    gpuUtilization: percent === null ? local.gpuUtilization : percent / 100,
    gpuMemoryBytes: sumOf(window, 'gpu_memory_bytes') ?? local.gpuMemoryBytes,
    gpuPowerWatts: sumOf(window, 'gpu_power_watts') ?? local.gpuPowerWatts,
    cpuCores: rateOf(window, 'cpu_seconds') ?? local.cpuCores,
    memoryBytes: sumOf(window, 'memory_bytes') ?? local.memoryBytes,
    kvCacheUsageMean: local.kvCacheUsageMean ?? meanOf(window, 'kv_cache_usage'),
    prefixCacheHitRatio: local.prefixCacheHitRatio ?? hitRatio(window),
    preemptions: local.preemptions ?? growthOf(window, 'preemptions'),
  }
}

/** Energy of the GPUs of the service: each by its counter, else its power added up. */
export function prometheusEnergy(window: PrometheusWindow): WindowEnergy {
  const byGpu = new Map<string, EnergySample[]>()
  const add = (name: string, sample: (value: number) => Omit<EnergySample, 'atMs'>): void => {
    for (const {labels, samples} of window.series[name] ?? []) {
      const gpu = JSON.stringify(Object.entries(labels).sort())
      const all = byGpu.get(gpu) ?? []
      for (const [at, value] of samples) all.push({atMs: at * 1000, ...sample(value)})
      byGpu.set(gpu, all)
    }
  }
  add('gpu_energy_joules', joules => ({joules, watts: null}))
  add('gpu_power_watts', watts => ({joules: null, watts}))
  return sumOfEnergies(
    [...byGpu.values()].map(samples =>
      energyOfWindow(
        samples.sort((one, other) => one.atMs - other.atMs),
        window.start * 1000,
        window.end * 1000,
      ),
    ),
  )
}

/** The block `prometheus` of the results. */
export function prometheusBlock(window: PrometheusWindow): NonNullable<RunResults['prometheus']> {
  return {
    url: window.url,
    kv_cache_usage: rounded(meanOf(window, 'kv_cache_usage')),
    requests_running: rounded(sumOf(window, 'running')),
    requests_waiting: rounded(sumOf(window, 'waiting')),
    preemptions: rounded(growthOf(window, 'preemptions')),
    prompt_tokens: rounded(growthOf(window, 'prompt_tokens')),
    generation_tokens: rounded(growthOf(window, 'generation_tokens')),
    successes: rounded(growthOf(window, 'successes')),
    prefix_cache_hit_ratio: rounded(hitRatio(window)),
    latencies_ms: Object.fromEntries(
      Object.entries(window.histograms).map(([name, {bounds, counts, sum}]) => [
        name,
        latencyJson({bounds: bounds.map(bound => bound ?? Infinity), counts, sum}),
      ]),
    ),
    queries: window.queries,
    missing: window.missing,
  }
}

function latencyJson(histogram: BucketedHistogram): {
  mean: number | null
  p50: number | null
  p95: number | null
  p99: number | null
} {
  const count = histogram.counts.at(-1) ?? 0
  const at = (quantile: number): number | null =>
    count === 0 ? null : rounded(bucketedPercentile(histogram, quantile).value * 1000)
  return {
    mean: count === 0 ? null : rounded((histogram.sum / count) * 1000),
    ...{p50: at(0.5), p95: at(0.95), p99: at(0.99)},
  }
}

function hitRatio(window: PrometheusWindow): number | null {
  return ratio(growthOf(window, 'prefix_cache_hits'), growthOf(window, 'prefix_cache_queries'))
}

/** Mean over all series together. */
function meanOf(window: PrometheusWindow, name: string): number | null {
  const values = inside(window, name).flatMap(samples => samples.map(([, value]) => value))
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Sum of the means of all series; one that was there for a part of the time counts for that part. */
function sumOf(window: PrometheusWindow, name: string): number | null {
  const all = inside(window, name)
  const most = Math.max(0, ...all.map(samples => samples.length))
  if (most === 0) return null
  const total = all.reduce((sum, samples) => sum + samples.reduce((part, [, value]) => part + value, 0), 0)
  return total / most
}

/** Samples of the window; where a scrape interval is longer than the window, the last before its end. */
function inside({series, start, end}: PrometheusWindow, name: string): (readonly Sample[])[] {
  return (series[name] ?? []).map(({samples}) => {
    const within = samples.filter(([at]) => at >= start && at <= end)
    return within.length > 0 ? within : samples.filter(([at]) => at <= end).slice(-1)
  })
}

/** By how much the counters of a name grew, all series together: from the last scrape before the window to the first after it. */
function growthOf(window: PrometheusWindow, name: string): number | null {
  return sumOfGrowths(window, name, samples => around(samples, window.start, window.end))
}

/** The same per second, over the window itself. */
function rateOf(window: PrometheusWindow, name: string): number | null {
  const {start, end} = window
  return ratio(
    sumOfGrowths(window, name, samples => growth(samples, start, end)),
    end - start,
  )
}

function sumOfGrowths(
  {series}: PrometheusWindow,
  name: string,
  grown: (samples: readonly Sample[]) => number | null,
): number | null {
  const known = (series[name] ?? []).map(({samples}) => grown(samples)).filter(part => part !== null)
  return known.length === 0 ? null : known.reduce((sum, part) => sum + part, 0)
}

function around(samples: readonly Sample[], start: number, end: number): number | null {
  const from = samples.findLast(([at]) => at <= start) ?? samples[0]
  const to = samples.find(([at]) => at >= end) ?? samples.at(-1)
  return from === undefined || to === undefined ? null : growth(samples, from[0], to[0])
}

/** Between two samples a counter is taken to grow evenly; one that fell began anew at 0. */
function growth(samples: readonly Sample[], start: number, end: number): number | null {
  let total: number | null = null
  for (let index = 1; index < samples.length; index++) {
    const [[from, before], [to, after]] = [samples[index - 1]!, samples[index]!]
    const [left, right] = [Math.max(from, start), Math.min(to, end)]
    if (right <= left) continue
    const grown = after >= before ? after - before : after
    total = (total ?? 0) + (grown * (right - left)) / (to - from)
  }
  return total
}
