import {
  bodyLatencyMs,
  equalBins,
  percentile,
  sortSamples,
  ttftMs,
  type RequestTimes,
} from '../metrics/index.js'
import type {RunResults} from '../runs/index.js'
import type {ColdCosts} from './cold-costs.js'
import type {ColdSpan} from './cold-starts.js'
import type {CostFigures} from './cost-figures.js'
import type {Distributions, Sampled} from './distributions.js'
import type {IoProbe} from './io-probe.js'
import {samplesOf, type MeasuredRequests} from './measured-requests.js'
import type {ResourceMeans} from './resources.js'
import {ratio, rounded} from './rounding.js'
import type {WholeSpan} from './run-figures.js'

export interface FlatInputs {
  readonly measured: MeasuredRequests
  readonly distributions: Distributions
  readonly span: WholeSpan
  readonly completionTokens: number | null
  readonly resources: ResourceMeans
  readonly probe: IoProbe
  readonly cost: CostFigures
  readonly energy: Pick<RunResults, 'energy_wh' | 'energy_wh_per_request' | 'energy_wh_per_1k_tokens'>
  /** Seen in the server's own metrics; null when nobody looked. */
  readonly coldSpans: readonly ColdSpan[] | null
  readonly coldCosts: ColdCosts
  readonly fairness: RunResults['fairness']
}

/**
 * Upstream's flat keys, with its meaning: latency ends at the end of the body, success is status 200, rates are over the
 * whole span of the run. Without successes upstream writes NaN; here that is null.
 *
 * @see Siryoos/kserve-vllm-mini:analyze.py
 */
export function flatKeys(inputs: FlatInputs) {
  const {
    measured,
    distributions,
    span,
    completionTokens,
    resources,
    probe,
    cost,
    energy,
    coldSpans,
    coldCosts,
    fairness,
  } = inputs
  const {bodyLatency, ttft, ttfb, tllt, generation, tpot} = distributions
  const {epochMs} = measured.table
  const epochSeconds = (ms: number | null): number | null => rounded(ms === null ? null : epochMs(ms) / 1000)
  const {p50, p95, p99} = percentilesOf(bodyLatency)
  return {
    p50_ms: p50,
    p95_ms: p95,
    p99_ms: p99,
    ttft_p50_ms: percentilesOf(ttft).p50,
    ttft_p95_ms: percentilesOf(ttft).p95,
    time_to_first_token_ms: rounded(ttft.summary.mean),
    throughput_rps: rounded(ratio(measured.successes, span.seconds)),
    tokens_per_sec: rounded(ratio(completionTokens, span.seconds)),
    error_rate: rounded(ratio(measured.total - measured.successes, measured.total)),
    ttfb_p50_ms: percentilesOf(ttfb).p50,
    ttfb_p95_ms: percentilesOf(ttfb).p95,
    ttfb_p99_ms: percentilesOf(ttfb).p99,
    tllt_p50_ms: percentilesOf(tllt).p50,
    tllt_p95_ms: percentilesOf(tllt).p95,
    tllt_p99_ms: percentilesOf(tllt).p99,
    generation_p50_ms: percentilesOf(generation).p50,
    generation_p95_ms: percentilesOf(generation).p95,
    per_token_p50_ms: percentilesOf(tpot).p50,
    per_token_p95_ms: percentilesOf(tpot).p95,
    avg_tokens_per_response: rounded(ratio(completionTokens, distributions.outputTokens.summary.count)),
    ttfb_histogram: histogramJson(ttfb),
    tllt_histogram: histogramJson(tllt),
    generation_time_histogram: histogramJson(generation),
    per_token_time_histogram: histogramJson(tpot),
    window: {
      start: epochSeconds(span.startMs),
      end: epochSeconds(span.endMs),
      seconds: rounded(span.seconds),
    },
    requests: {total: measured.total, success: measured.successes},
    network_rtt_p50_ms: probe.rttP50Ms,
    network_rtt_p95_ms: probe.rttP95Ms,
    s3_avg_MBps: probe.s3MegabytesPerSecond,
    cache_hit_ratio: rounded(resources.prefixCacheHitRatio),
    cold_start_count: coldSpans?.length ?? coldStartCount(measured),
    ...coldSplit('cold', measured, 1),
    ...coldSplit('warm', measured, 0),
    // Budgets of upstream's slo.json are about these.
    ...(fairness && {
      tenant_p95_ms: fairness.tenant_p95_ms,
      throughput_share_diff: fairness.throughput_share_diff,
    }),
    ...cost.flat,
    ...energy,
    ...coldCosts,
    gpu_util_avg: rounded(resources.gpuUtilization === null ? null : resources.gpuUtilization * 100),
    gpu_mem_used_avg: rounded(resources.gpuMemoryBytes),
    gpu_power_watts_avg: rounded(resources.gpuPowerWatts),
    cpu_util_avg: rounded(resources.cpuCores),
    mem_used_avg: rounded(resources.memoryBytes),
  }
}

function percentilesOf({summary}: Sampled): {p50: number | null; p95: number | null; p99: number | null} {
  const {p50, p95, p99} = summary.percentiles
  return {p50: rounded(p50), p95: rounded(p95), p99: rounded(p99)}
}

function histogramJson({sorted}: Sampled): RunResults['ttfb_histogram'] {
  const {bins, counts, binEdges, min, max, totalSamples} = equalBins(sorted)
  return {
    bins: bins.map(edge => rounded(edge)!),
    counts,
    bin_edges: binEdges.map(edge => rounded(edge)!),
    min: rounded(min),
    max: rounded(max),
    total_samples: totalSamples,
  }
}

/** Unknown without a cluster, unless the file itself marks cold requests. */
function coldStartCount({table}: MeasuredRequests): number | null {
  return table.hasColdStarts ? table.isCold.reduce((sum, isCold) => sum + isCold, 0) : null
}

type ColdKeys<P extends 'cold' | 'warm'> = Record<
  | `${P}_count`
  | `${P}_success_count`
  | `${P}_p50_ms`
  | `${P}_p95_ms`
  | `${P}_p99_ms`
  | `${P}_ttft_p50_ms`
  | `${P}_ttft_p95_ms`
  | `${P}_error_rate`,
  number | null
>

function coldSplit<P extends 'cold' | 'warm'>(
  prefix: P,
  measured: MeasuredRequests,
  coldness: 0 | 1,
): ColdKeys<P> {
  const {table} = measured
  const isWanted = (row: number): boolean => table.hasColdStarts && table.isCold[row] === coldness
  let [total, successes] = [0, 0]
  for (let row = 0; row < table.count; row++) {
    if (table.isWarmup[row] === 1 || !isWanted(row)) continue
    total++
    if (table.outcome[row] === 0) successes++
  }
  const sortedOf = (metric: (request: RequestTimes) => number | null): Float64Array =>
    sortSamples(samplesOf(measured, metric, isWanted))
  const [latency, ttft] = table.hasColdStarts ? [sortedOf(bodyLatencyMs), sortedOf(ttftMs)] : [[], []]
  const count = (value: number): number | null => (table.hasColdStarts ? value : null)
  return {
    [`${prefix}_count`]: count(total),
    [`${prefix}_success_count`]: count(successes),
    [`${prefix}_p50_ms`]: rounded(percentile(latency, 0.5)),
    [`${prefix}_p95_ms`]: rounded(percentile(latency, 0.95)),
    [`${prefix}_p99_ms`]: rounded(percentile(latency, 0.99)),
    [`${prefix}_ttft_p50_ms`]: rounded(percentile(ttft, 0.5)),
    [`${prefix}_ttft_p95_ms`]: rounded(percentile(ttft, 0.95)),
    [`${prefix}_error_rate`]: rounded(ratio(total - successes, total)),
  } as ColdKeys<P>
}
