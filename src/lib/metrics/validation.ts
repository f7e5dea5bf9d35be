/** One rule of a profile's `validation` block, judged. */
export interface ValidationVerdict {
  /** As the profile spells it, such as `max_p95_latency_ms`. */
  readonly rule: string
  /** The key of the results that the rule is about; null for a rule that nobody knows. */
  readonly metric: string | null
  readonly limit: number
  /** Null when the run has no such figure. */
  readonly value: number | null
  readonly isPassed: boolean
}

/** The figures that rules are about, by their flat keys. Rates 0–1, latencies in ms, throughput per second, Wh. */
export type ValidatedFigures = Readonly<Record<(typeof METRICS)[keyof typeof METRICS], number | null>>

const METRICS = {
  min_success_rate: 'success_rate',
  max_error_rate: 'error_rate',
  max_p95_latency_ms: 'p95_ms',
  max_p99_latency_ms: 'p99_ms',
  max_avg_ttft_ms: 'time_to_first_token_ms',
  max_p95_ttft_ms: 'ttft_p95_ms',
  min_throughput_rps: 'throughput_rps',
  min_tokens_per_second: 'tokens_per_sec',
  max_cost_per_1k_tokens: 'cost_per_1k_tokens',
  max_energy_per_1k_tokens_wh: 'energy_wh_per_1k_tokens',
} as const

/** Names of the rules that `evaluateValidation` knows. */
export const VALIDATION_RULES = Object.keys(METRICS)

/**
 * Judges a run by the rules of its profile: `min_…` passes when value ≥ limit, `max_…` when value ≤ limit. A figure that the
 * run does not have, or a rule that nobody knows, fails: what was not measured was not shown to hold.
 *
 * @returns one verdict a rule, in the order of the rules
 */
export function evaluateValidation(
  figures: ValidatedFigures,
  rules: Readonly<Record<string, number | undefined>>,
): ValidationVerdict[] {
  return Object.entries(rules).flatMap(([rule, limit]) => {
    if (limit === undefined) return []
    const metric = isKnown(rule) ? METRICS[rule] : null
    const value = metric === null ? null : figures[metric]
    const isPassed = value !== null && (rule.startsWith('min_') ? value >= limit : value <= limit)
    return {rule, metric, limit, value, isPassed}
  })
}

function isKnown(rule: string): rule is keyof typeof METRICS {
  return Object.hasOwn(METRICS, rule)
}
