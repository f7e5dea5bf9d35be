import {parsePrometheusText} from './prometheus-text.js'

/** One histogram of a metrics page: totals since the server's start. Bounds are in seconds, counts cumulative, the last bound infinite. */
export interface HistogramTotals {
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
}

/**
 * Series names by what an engine measures of its own requests, newest first; the first one present counts.
 *
 * @see vllm-project/vllm:vllm/v1/metrics/loggers.py
 * @see sgl-project/sglang:python/sglang/srt/metrics/collector.py
 */
const SERIES = {
  ttft: ['vllm:time_to_first_token_seconds', 'sglang:time_to_first_token_seconds'],
  itl: [
    'vllm:inter_token_latency_seconds',
    'vllm:time_per_output_token_seconds',
    'sglang:inter_token_latency_seconds',
  ],
  e2e: ['vllm:e2e_request_latency_seconds', 'sglang:e2e_request_latency_seconds'],
  queue: ['vllm:request_queue_time_seconds', 'sglang:queue_time_seconds'],
  prefill: ['vllm:request_prefill_time_seconds'],
  decode: ['vllm:request_decode_time_seconds'],
} as const
export type EngineHistogramName = keyof typeof SERIES
export type EngineHistograms = Readonly<Partial<Record<EngineHistogramName, HistogramTotals>>>

const WANTED: ReadonlySet<string> = new Set(
  Object.values(SERIES).flatMap(names => names.flatMap(name => [`${name}_bucket`, `${name}_sum`])),
)

/** The histograms that a metrics page has, those of several engines behind it added up; null when it has none. */
export function engineHistogramsOf(metricsText: string): EngineHistograms | null {
  const buckets = new Map<string, Map<number, number>>()
  const sums = new Map<string, number>()
  for (const {name, labels, value} of parsePrometheusText(metricsText, name => WANTED.has(name))) {
    if (!Number.isFinite(value)) continue
    if (name.endsWith('_sum')) {
      sums.set(name.slice(0, -4), (sums.get(name.slice(0, -4)) ?? 0) + value)
      continue
    }
    const family = name.slice(0, -'_bucket'.length)
    const bound = /^\+?inf$/i.test(labels['le'] ?? '') ? Infinity : Number(labels['le'])
    if (Number.isNaN(bound)) continue
    const counts = buckets.get(family) ?? new Map<number, number>()
    buckets.set(family, counts.set(bound, (counts.get(bound) ?? 0) + value))
  }
  const found = Object.entries(SERIES).flatMap(([name, families]) => {
    const family = families.find(one => buckets.has(one))
    if (family === undefined) return []
    const sorted = [...buckets.get(family)!].sort(([one], [other]) => one - other)
    const totals: HistogramTotals = {
      bounds: sorted.map(([bound]) => bound),
      counts: sorted.map(([, count]) => count),
      sum: sums.get(family) ?? 0,
    }
    return [[name, totals] as const]
  })
  return found.length === 0 ? null : Object.fromEntries(found)
}

/** Several servers as one, where their bounds are the same; a histogram that one of them lacks is left out. */
export function addHistograms(looks: readonly EngineHistograms[]): EngineHistograms {
  const [first, ...rest] = looks
  const names = Object.keys(first ?? {}) as EngineHistogramName[]
  const added = names.flatMap(name => {
    const own = first![name]!
    const others = rest.map(look => look[name])
    const isSame = others.every(other => other?.bounds.join() === own.bounds.join())
    if (!isSame) return []
    const all = [own, ...(others as HistogramTotals[])]
    const counts = own.counts.map((_, at) => all.reduce((sum, one) => sum + one.counts[at]!, 0))
    return [[name, {bounds: own.bounds, counts, sum: all.reduce((sum, one) => sum + one.sum, 0)}] as const]
  })
  return Object.fromEntries(added)
}
