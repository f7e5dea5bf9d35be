/** What a request may take at most, milliseconds (TPOT: per token); a metric that is not named has no limit. */
export type SloLimits = Readonly<Partial<Record<SloMetric, number | undefined>>>

export const SLO_METRICS = ['ttft', 'tpot', 'max_gap', 'e2e'] as const
export type SloMetric = (typeof SLO_METRICS)[number]

/** Values of one request; null where a metric is not defined for it. */
export type SloValues = Readonly<Record<SloMetric, number | null>>

/**
 * Whether a successful request meets one clause. A metric that is not defined for it, such as the TPOT of a single token, is met.
 *
 * @see vllm-project/vllm:vllm/benchmarks/serve.py — calculate_metrics: tpot 0 for one token, which meets every goal
 */
export function meets(limits: SloLimits, values: SloValues, metric: SloMetric): boolean {
  const [limit, value] = [limits[metric], values[metric]]
  return limit === undefined || value === null || value <= limit
}

/** Whether a successful request meets every clause. */
export function isGood(limits: SloLimits, values: SloValues): boolean {
  return SLO_METRICS.every(metric => meets(limits, values, metric))
}
