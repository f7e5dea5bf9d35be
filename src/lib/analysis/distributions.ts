import {
  bodyLatencyMs,
  e2eMs,
  e2eSchedMs,
  normLatencyMs,
  PERCENTILE_NAMES,
  queueClientMs,
  sendLagMs,
  since,
  summarize,
  tpotMs,
  ttfbMs,
  ttfoMs,
  ttftMs,
  ttftSchedMs,
  type PercentileName,
  type MeasureWindow,
  type RequestTimes,
  type Summary,
} from '../metrics/index.js'
import type {Distribution, RunMeta} from '../runs/index.js'
import {samplesOf, samplesOfSent, type MeasuredRequests} from './measured-requests.js'
import {meanIntervalOf, mostBatches} from './mean-intervals.js'
import {rounded} from './rounding.js'

/** A summary together with its sorted samples, which histograms need. */
export interface Sampled {
  readonly summary: Summary
  /** 95 %, of the mean; null where batches of requests are too few or too much alike. */
  readonly meanInterval: readonly [low: number, high: number] | null
  readonly sorted: Float64Array
}

/** Every per-request distribution of a run, in milliseconds unless the name says otherwise. */
export interface Distributions {
  readonly ttft: Sampled
  readonly ttftSched: Sampled
  readonly ttfb: Sampled
  readonly ttfo: Sampled
  readonly tllt: Sampled
  readonly generation: Sampled
  readonly e2e: Sampled
  readonly e2eSched: Sampled
  readonly bodyLatency: Sampled
  readonly tpot: Sampled
  readonly normLatency: Sampled
  readonly maxGap: Sampled
  /** Of all requests that were sent, failed ones too. */
  readonly queueClient: Sampled
  readonly sendLag: Sampled
  readonly inputTokens: Sampled
  readonly outputTokens: Sampled
}

export function distributionsOf(
  measured: MeasuredRequests,
  maxGapUs: Float64Array,
  mode: RunMeta['mode'],
  windows: readonly MeasureWindow[],
): Distributions {
  const {table} = measured
  const most = mostBatches(windows, someOf(samplesOf(measured, e2eMs)).sort())
  const of = (metric: (request: RequestTimes) => number | null, beyond = 0): Sampled =>
    sampled(samplesOf(measured, metric), beyond, most)
  const perRow = (value: (row: number) => number | null): Sampled =>
    sampled(samplesOf(measured, (_, row) => value(row)))
  // On an open schedule a request that was never sent waited longer than all others; a closed loop just has no schedule for it.
  const unsent = mode === 'open' ? measured.notSent : 0
  return {
    ttft: of(ttftMs),
    ttftSched: of(ttftSchedMs, unsent),
    ttfb: of(ttfbMs),
    ttfo: of(ttfoMs),
    tllt: of(request => since(request.lastTokenAtMs, request.sentAtMs)),
    generation: of(request =>
      request.completionTokens === 0 ? null : since(request.lastTokenAtMs, request.firstByteAtMs),
    ),
    e2e: of(e2eMs),
    e2eSched: of(e2eSchedMs, unsent),
    bodyLatency: of(bodyLatencyMs),
    tpot: of(tpotMs),
    normLatency: of(normLatencyMs),
    maxGap: perRow(row => (Number.isNaN(maxGapUs[row]!) ? null : maxGapUs[row]! / 1000)),
    queueClient: sampled(samplesOfSent(measured, queueClientMs)),
    sendLag: sampled(samplesOfSent(measured, sendLagMs)),
    inputTokens: perRow(row => (table.promptTokens[row]! < 0 ? null : table.promptTokens[row]!)),
    outputTokens: of(request => request.completionTokens),
  }
}

/** Enough for how long batches are to be, where nobody is told the figure itself. */
function someOf(samples: Float64Array): Float64Array {
  const step = Math.ceil(samples.length / 10_000)
  return step <= 1 ? samples : samples.filter((_, at) => at % step === 0)
}

/** A summary as `results.json` holds it. */
export function distributionJson(
  summary: Summary,
  unit: string,
  meanInterval: readonly [number, number] | null = null,
): Distribution {
  const {percentiles, intervals} = summary
  return {
    unit,
    count: summary.count,
    n_eff: summary.effectiveCount,
    mean: rounded(summary.mean),
    std: rounded(summary.std),
    min: rounded(summary.min),
    ...perPercentileName(name => rounded(percentiles[name])),
    max: rounded(summary.max),
    ci95: intervals && intervalsJson(intervals),
    mean_ci95: meanInterval && [rounded(meanInterval[0])!, rounded(meanInterval[1])!],
    too_few_for: [...summary.tooFewFor],
  }
}

function sampled(samples: Float64Array, beyond = 0, mostBatchCount = 0): Sampled {
  // Before they are sorted.
  const meanInterval = beyond > 0 ? null : meanIntervalOf(samples, mostBatchCount)
  return {summary: summarize(samples, beyond), meanInterval, sorted: samples}
}

function perPercentileName<T>(value: (name: PercentileName) => T): Record<PercentileName, T> {
  return Object.fromEntries(PERCENTILE_NAMES.map(name => [name, value(name)])) as Record<PercentileName, T>
}

function intervalsJson(intervals: NonNullable<Summary['intervals']>): NonNullable<Distribution['ci95']> {
  const bounded: NonNullable<Distribution['ci95']> = {}
  for (const name of PERCENTILE_NAMES) {
    const [lower, upper] = intervals[name]
    if (lower !== null) bounded[name] = [rounded(lower)!, rounded(upper)]
  }
  return bounded
}
