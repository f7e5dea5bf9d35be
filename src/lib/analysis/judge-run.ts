import {ValidationError} from '../foundation/index.js'
import {readMeta, type RunDirectory, type RunResults} from '../runs/index.js'

/** The figure that each rule of a profile's `validation` block is about; `min_` and `max_` say in which direction. */
const FIGURES: Readonly<Record<string, (results: RunResults) => number | null>> = {
  min_success_rate: ({performance}) => performance.success_rate,
  max_error_rate: ({performance}) => performance.error_rate,
  max_p95_latency_ms: results => results.p95_ms,
  max_p99_latency_ms: results => results.p99_ms,
  max_avg_ttft_ms: ({performance}) => performance.avg_ttft_ms,
  max_p95_ttft_ms: results => results.ttft_p95_ms,
  min_throughput_rps: results => results.throughput_rps,
  min_tokens_per_second: results => results.tokens_per_sec,
  max_cost_per_1k_tokens: results => results.cost_per_1k_tokens,
  max_energy_per_1k_tokens_wh: results => results.energy_wh_per_1k_tokens,
}

/**
 * Pure: the rules that a run misses, one phrase each, in the order of the table above. A figure that nobody knows misses its
 * rule: whoever set it wants to be told.
 *
 * @param rules a profile's `validation` block
 */
export function missedRules(rules: Readonly<Record<string, unknown>>, results: RunResults): string[] {
  return Object.entries(FIGURES).flatMap(([rule, valueOf]) => {
    const bound = rules[rule]
    if (typeof bound !== 'number') return []
    const value = valueOf(results)
    const figure = rule.replace(/^(min|max)_/, '')
    if (value === null) return [`${figure} is not known and ${rule} is ${bound}`]
    const isMin = rule.startsWith('min_')
    const isMet = isMin ? value >= bound : value <= bound
    return isMet ? [] : [`${figure} is ${value}, ${isMin ? 'below' : 'above'} ${bound}`]
  })
}

/**
 * Holds a run to the `validation` block of the profile that it was made with.
 *
 * @returns the error to leave with, or null where every rule is met or there is none
 */
export async function judgeRun(run: RunDirectory, results: RunResults): Promise<ValidationError | null> {
  const rules: unknown = (await readMeta(run)).profile?.['validation']
  const missed = missedRules((rules ?? {}) as Record<string, unknown>, results)
  if (missed.length === 0) return null
  return new ValidationError(
    'VALIDATION_MISSED',
    `the run misses its profile's validation: ${missed.join('; ')}`,
    {
      suggestions: [`kvctl report --run-dir ${run.path}`],
    },
  )
}
