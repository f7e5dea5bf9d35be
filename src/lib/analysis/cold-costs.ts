import type {RunResults} from '../runs/index.js'
import type {MeasuredRequests} from './measured-requests.js'
import {ratio} from './rounding.js'

export type ColdCosts = Pick<
  RunResults,
  'cold_cost_per_request' | 'warm_cost_per_request' | 'cold_cost_per_1k_tokens' | 'warm_cost_per_1k_tokens'
>

/**
 * The cost of a run, parted between cold and warm requests: cold ones carry what the starts of pods cost, and both share the rest
 * by the time that they took.
 *
 * @param starts what pods cost until they were ready
 */
export function coldCosts(
  total: number | null,
  starts: number | null,
  measured: MeasuredRequests,
): ColdCosts {
  const {table, sentRows} = measured
  const known = table.hasColdStarts && total !== null && starts !== null
  const classes = [0, 1].map(() => ({latencyUs: 0, successes: 0, tokens: 0}))
  for (const row of sentRows) {
    const of = classes[table.isCold[row]!]!
    const latency = table.doneAtUs[row]! - table.sentAtUs[row]!
    if (latency > 0) of.latencyUs += latency
    if (table.outcome[row] !== 0) continue
    of.successes++
    of.tokens += Math.max(0, table.promptTokens[row]!) + Math.max(0, table.completionTokens[row]!)
  }
  const [warm, cold] = classes as [(typeof classes)[number], (typeof classes)[number]]
  const ofStarts = known && cold.latencyUs > 0 ? Math.min(starts, total) : 0
  const cost = (of: typeof cold, own: number): number | null => {
    const share = ratio(of.latencyUs, cold.latencyUs + warm.latencyUs)
    return known && share !== null && of.latencyUs > 0 ? own + (total - ofStarts) * share : null
  }
  const [ofCold, ofWarm] = [cost(cold, ofStarts), cost(warm, 0)]
  const per = (amount: number | null, count: number): number | null => exact(ratio(amount, count))
  return {
    cold_cost_per_request: per(ofCold, cold.successes),
    warm_cost_per_request: per(ofWarm, warm.successes),
    cold_cost_per_1k_tokens: per(ofCold, cold.tokens / 1000),
    warm_cost_per_1k_tokens: per(ofWarm, warm.tokens / 1000),
  }
}

/** Twelve digits, as all costs have. */
function exact(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(12))
}
