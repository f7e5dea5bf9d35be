import {
  bucketedPercentile,
  histogramBetween,
  rankCorrelation,
  type BucketedHistogram,
  type MeasureWindow,
} from '../metrics/index.js'
import type {RunResults} from '../runs/index.js'
import {ratio, rounded} from './rounding.js'
import {SERVER_SERIES, type HistogramLook, type ServerSeries} from './server-series.js'
import {causeOf} from './ttft-cause.js'

type ServerBlock = NonNullable<RunResults['server']>

export interface ServerInputs {
  readonly series: ServerSeries
  readonly windows: readonly MeasureWindow[]
  /** p95 of TTFT in each slice, with which the server's figures are correlated. */
  readonly ttftP95BySlice: readonly (number | null)[]
  readonly ttftMeanMs: number | null
  /** Completed requests per second in the window. */
  readonly requestsPerSecond: number | null
  readonly kvCacheUsageMax: number | null
}

/** What the server says of itself, beside what its clients saw; null when nobody asked it. */
export function serverFigures(inputs: ServerInputs): ServerBlock | null {
  const {series, windows, ttftP95BySlice} = inputs
  const {grown, bySlice} = series
  if (series.engineLooks === 0) return null
  const histograms = inWindow(series.histograms, windows)
  const share = (part: number | null, whole: number | null): number | null =>
    part === null || whole === null ? null : ratio(part, whole)
  const perDraft = share(grown.accepted_tokens_total, grown.drafts_total)
  return {
    prompt_tokens: grown.prompt_tokens_total,
    generation_tokens: grown.generation_tokens_total,
    preemptions: grown.preemptions_total,
    prefix_cache_hit_ratio: rounded(share(grown.prefix_cache_hits_total, grown.prefix_cache_queries_total)),
    external_cache_hit_ratio: rounded(
      share(grown.external_cache_hits_total, grown.external_cache_queries_total),
    ),
    draft_acceptance_rate: rounded(share(grown.accepted_tokens_total, grown.draft_tokens_total)),
    draft_acceptance_length: rounded(perDraft === null ? null : 1 + perDraft),
    drafts: grown.drafts_total,
    draft_tokens: grown.draft_tokens_total,
    accepted_draft_tokens: grown.accepted_tokens_total,
    distributions: Object.fromEntries(
      Object.entries(histograms).map(([name, histogram]) => [name, distributionJson(histogram)]),
    ),
    ttft_correlation: Object.fromEntries(
      SERVER_SERIES.flatMap(name => {
        const correlation = rounded(rankCorrelation(ttftP95BySlice, bySlice[name]))
        return correlation === null ? [] : [[name, correlation] as const]
      }),
    ),
    cause: causeOf({
      ttftMeanMs: inputs.ttftMeanMs,
      queueMeanMs: meanMs(histograms['queue']),
      prefillMeanMs: meanMs(histograms['prefill']),
      waitingMean: meanOf(bySlice.server_waiting),
      requestsPerSecond: inputs.requestsPerSecond,
      kvCacheUsageMax: inputs.kvCacheUsageMax,
      preemptions: grown.preemptions_total,
    }),
  }
}

/** What was counted between the last look before the window, or the first one, and the first look after it, or the last. */
function inWindow(
  looks: readonly HistogramLook[],
  windows: readonly MeasureWindow[],
): Readonly<Record<string, BucketedHistogram>> {
  const [from, to] = [windows[0]?.fromMs ?? -Infinity, windows.at(-1)?.toMs ?? Infinity]
  const before = looks.findLast(({atMs}) => atMs <= from) ?? looks[0]
  const after = looks.find(({atMs}) => atMs >= to) ?? looks.at(-1)
  if (before === undefined || after === undefined) return {}
  return Object.fromEntries(
    Object.keys(after.byName).flatMap(name => {
      const earlier = before.byName[name]
      const between = earlier && histogramBetween(earlier, after.byName[name]!)
      return between ? [[name, between] as const] : []
    }),
  )
}

function distributionJson(histogram: BucketedHistogram): ServerBlock['distributions'][string] {
  const at = (quantile: number): {value: number | null; within: number | null} => {
    const {value, width} = bucketedPercentile(histogram, quantile)
    return {value: rounded(value * 1000), within: Number.isFinite(width) ? rounded(width * 1000) : null}
  }
  const [p50, p95, p99] = [at(0.5), at(0.95), at(0.99)]
  return {
    unit: 'ms',
    count: histogram.counts.at(-1)!,
    mean: rounded(meanMs(histogram)),
    p50: p50.value,
    p95: p95.value,
    p99: p99.value,
    within: {p50: p50.within, p95: p95.within, p99: p99.within},
  }
}

function meanMs(histogram: BucketedHistogram | undefined): number | null {
  return histogram === undefined ? null : (histogram.sum / histogram.counts.at(-1)!) * 1000
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter(value => value !== null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length
}
