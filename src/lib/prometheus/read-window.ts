import type {PrometheusWindow} from '../runs/index.js'
import type {Prometheus, PrometheusSeries} from './client.js'
import {
  histogramGrowth,
  labelSets,
  rangeSelector,
  sumGrowth,
  WANTED,
  WANTED_HISTOGRAMS,
  type ServiceLabels,
  type Wanted,
} from './queries.js'

/** A time span, Unix seconds. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Samples before and after the window, so that its edges can be interpolated: twice a usual scrape interval. */
const MARGIN_SECONDS = 60

/**
 * Everything that a Prometheus knows of a service over a window: samples as they were scraped, with the expression that gave
 * them; what it does not have is named.
 *
 * @throws NetworkError `PROMETHEUS_UNAVAILABLE`, `PROMETHEUS_REFUSED`
 */
export async function readWindow(
  prometheus: Prometheus,
  of: ServiceLabels | null,
  {start, end}: Span,
  signal: AbortSignal,
): Promise<PrometheusWindow> {
  const at = end + MARGIN_SECONDS
  const seconds = end - start
  const queries: Record<string, string> = {}
  const [series, histograms, missing] = [
    {} as Record<string, PrometheusSeries[]>,
    {} as PrometheusWindow['histograms'],
    [] as string[],
  ]
  const first = async (
    name: string,
    expressions: readonly string[],
    atSeconds: number,
  ): Promise<{found: PrometheusSeries[]; index: number} | null> => {
    for (const [index, expression] of expressions.entries()) {
      const found = (await prometheus.query(expression, atSeconds, signal)).filter(
        one => one.samples.length > 0,
      )
      if (found.length === 0) continue
      queries[name] = expression
      return {found, index}
    }
    missing.push(name)
    return null
  }
  await Promise.all([
    ...Object.entries<Wanted>(WANTED).map(async ([name, {metrics, where}]) => {
      const tries = metrics.flatMap(metric =>
        labelSets(of, metric.name).map(labels => ({metric, labels: [labels, where ?? '']})),
      )
      const expressions = tries.map(({metric, labels}) =>
        rangeSelector(metric.name, labels, seconds + 2 * MARGIN_SECONDS),
      )
      const answer = await first(name, expressions, at)
      if (answer !== null) series[name] = scaled(answer.found, tries[answer.index]!.metric.scale)
    }),
    ...Object.entries(WANTED_HISTOGRAMS).map(async ([name, metrics]) => {
      const tries = metrics.flatMap(metric =>
        labelSets(of, metric).map(labels => ({metric, labels: [labels]})),
      )
      const expressions = tries.map(({metric, labels}) => histogramGrowth(metric, labels, seconds))
      const answer = await first(`${name}_seconds`, expressions, end)
      if (answer === null) return
      const {metric, labels} = tries[answer.index]!
      const sum = await prometheus.query(sumGrowth(metric, labels, seconds), end, signal)
      histograms[name] = {...bucketsOf(answer.found), sum: sum[0]?.samples[0]?.[1] ?? 0}
    }),
  ])
  return {
    schema_version: 1,
    url: prometheus.url,
    namespace: of?.namespace ?? null,
    service: of?.service ?? null,
    ...{start, end},
    ...{queries: sorted(queries), series: sorted(series), histograms: sorted(histograms)},
    missing: missing.sort(),
  }
}

/** Whether anything was scraped after the window: until then its last edge is unknown. */
export function isSettled({series, end}: PrometheusWindow): boolean {
  return Object.values(series).some(all => all.some(({samples}) => (samples.at(-1)?.[0] ?? 0) >= end))
}

function scaled(all: readonly PrometheusSeries[], scale: number): PrometheusSeries[] {
  if (scale === 1) return [...all]
  return all.map(({labels, samples}) => ({
    labels,
    samples: samples.map(([at, value]) => [at, value * scale]),
  }))
}

function bucketsOf(all: readonly PrometheusSeries[]): {bounds: (number | null)[]; counts: number[]} {
  const buckets = all
    .map(({labels, samples}) => ({
      bound: Number(labels['le'] === '+Inf' ? Infinity : labels['le']),
      count: samples[0]![1],
    }))
    .filter(({bound}) => !Number.isNaN(bound))
    .sort((one, other) => one.bound - other.bound)
  return {
    bounds: buckets.map(({bound}) => (Number.isFinite(bound) ? bound : null)),
    counts: buckets.map(({count}) => count),
  }
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1)))
}
