import {moments, studentQuantile} from '../metrics/index.js'
import type {SweepPoint} from './sweep-file.js'

/** One figure over the repetitions of one point; null where it needs two. */
export interface RepeatedFigure {
  readonly count: number
  readonly mean: number | null
  readonly std: number | null
  readonly min: number | null
  readonly max: number | null
  /** std / mean */
  readonly cv: number | null
  /** std / √count */
  readonly se: number | null
  readonly ci_low: number | null
  readonly ci_high: number | null
  readonly t_critical: number | null
}

export interface PointSummary {
  readonly values: Readonly<Record<string, string>>
  readonly runs: number
  readonly failed: number
  readonly metrics: Readonly<Record<string, RepeatedFigure>>
}

/** Flat keys of results.json that a sweep compares, in the order of upstream's CSV. @see Siryoos/kserve-vllm-mini:grid-sweep.sh */
export const SWEEP_METRICS = [
  'p50_ms',
  'p95_ms',
  'p99_ms',
  'throughput_rps',
  'tokens_per_sec',
  'error_rate',
  'ttft_p50_ms',
  'ttft_p95_ms',
  'cost_per_request',
  'cost_per_1k_tokens',
  'gpu_util_avg',
] as const
export type SweepMetric = (typeof SWEEP_METRICS)[number]

/** Points with the same values together, in the order in which they first stand. */
export function summarisePoints(points: readonly SweepPoint[]): PointSummary[] {
  const groups = new Map<string, SweepPoint[]>()
  for (const point of points) {
    const key = JSON.stringify(point.values)
    groups.set(key, [...(groups.get(key) ?? []), point])
  }
  return [...groups.values()].map(group => ({
    values: group[0]!.values,
    runs: group.filter(({status}) => status === 'completed').length,
    failed: group.filter(({status}) => status === 'failed').length,
    metrics: Object.fromEntries(
      SWEEP_METRICS.map(name => [name, repeated(group.flatMap(({metrics}) => metrics?.[name] ?? []))]),
    ),
  }))
}

/**
 * Mean and its 95 % t-interval over runs: mean ± t · s / √n with n − 1 degrees of freedom.
 *
 * @see ai-dynamo/aiperf:docs — the same figures of repeated runs
 */
export function repeated(values: readonly number[]): RepeatedFigure {
  const {mean, std} = moments(values)
  const count = values.length
  const [min, max] = count === 0 ? [null, null] : [Math.min(...values), Math.max(...values)]
  const se = std === null ? null : std / Math.sqrt(count)
  const t = count < 2 ? null : studentQuantile(0.05, count - 1)
  const half = se === null || t === null ? null : t * se
  return {
    ...{count, mean, std, min, max},
    cv: std === null || mean === null || mean === 0 ? null : std / mean,
    se,
    ci_low: half === null ? null : mean! - half,
    ci_high: half === null ? null : mean! + half,
    t_critical: t,
  }
}
