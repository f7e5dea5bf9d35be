import {hourlyJson, moneyText, runCost, type RunOutput} from '../cost/index.js'
import type {Pricing, RunResults} from '../runs/index.js'

type CostKeys = Pick<
  RunResults,
  | 'cost_per_request'
  | 'cost_per_1k_tokens'
  | 'cost_per_1k_output_tokens'
  | 'total_cost'
  | 'cost_currency'
  | 'cost_breakdown'
>

/** Everything about a run's money; nulls when nobody has priced it. */
export interface CostFigures {
  readonly block: RunResults['cost']
  readonly flat: CostKeys
}

/**
 * The documented `cost` block and upstream's flat keys. Figures are full numbers; the strings are rounded so that the parts of
 * an hour add up to it.
 */
export function costFigures(pricing: Pricing | null, output: RunOutput): CostFigures {
  if (pricing === null) return UNPRICED
  const {currency} = pricing
  const cost = runCost(pricing, output)
  return {
    block: {
      cost_per_1k_tokens: cost.per1kTokens === null ? null : moneyText(cost.per1kTokens, 4, currency),
      ...hourlyJson(pricing),
    },
    flat: {
      cost_per_request: exact(cost.perRequest),
      cost_per_1k_tokens: exact(cost.per1kTokens),
      cost_per_1k_output_tokens: exact(cost.per1kOutputTokens),
      total_cost: exact(cost.total),
      cost_currency: currency,
      cost_breakdown: breakdown(pricing, cost.total, output.seconds),
    },
  }
}

function breakdown(
  {gpus, cpu, memory, overhead_fraction}: Pricing,
  total: number | null,
  seconds: number | null,
): RunResults['cost_breakdown'] {
  const over = (count: number | undefined): number | null =>
    seconds === null || count === undefined ? null : exact(count * seconds)
  const gpuCount = gpus.reduce((sum, {count}) => sum + count, 0)
  return {
    total_cost: exact(total),
    gpu_seconds: gpus.length === 0 ? null : over(gpuCount),
    cpu_core_seconds: over(cpu?.cores),
    mem_gib_seconds: over(memory?.gib),
    gpu_hourly: exact(meanHourly(gpus, gpuCount)),
    cpu_hourly_per_core: exact(cpu?.hourly_per_core ?? null),
    mem_hourly_per_gib: exact(memory?.hourly_per_gib ?? null),
    overhead_fraction,
    gpu_product_label: gpus.length === 0 ? null : gpus.map(({product}) => product).join(', '),
  }
}

/** Of one GPU, so that it times `gpu_seconds` is what all of them cost; null where a price is unknown. */
function meanHourly(gpus: Pricing['gpus'], count: number): number | null {
  if (count === 0 || gpus.some(({hourly}) => hourly === null)) return null
  return gpus.reduce((sum, gpu) => sum + gpu.count * gpu.hourly!, 0) / count
}

/** Twelve digits: hides the noise of binary fractions, and a price per token has no smallest unit to round to. */
function exact(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(12))
}

const UNPRICED: CostFigures = {
  block: {cost_per_1k_tokens: null, hourly_cost: null, breakdown: {gpu: null, cpu: null, memory: null}},
  flat: {
    cost_per_request: null,
    cost_per_1k_tokens: null,
    cost_per_1k_output_tokens: null,
    total_cost: null,
    cost_currency: null,
    cost_breakdown: null,
  },
}
