import type {Pricing, RunResults} from '../runs/index.js'
import {moneyParts} from './money.js'
import {hourlyCost} from './run-cost.js'

/** What an hour costs and which part of it each resource is, as the documented `cost` block has it. */
export function hourlyJson(pricing: Pricing): Omit<RunResults['cost'], 'cost_per_1k_tokens'> {
  const {currency} = pricing
  const {total: hourlyTotal, ...hourly} = hourlyCost(pricing)
  const {total, parts} = moneyParts([hourly.gpu ?? 0, hourly.cpu ?? 0, hourly.memory ?? 0], 2, currency)
  const [gpu, cpu, memory] = parts
  return {
    hourly_cost: hourlyTotal === null ? null : total,
    breakdown: {
      gpu: hourly.gpu === null ? null : gpu!,
      cpu: hourly.cpu === null ? null : cpu!,
      memory: hourly.memory === null ? null : memory!,
    },
  }
}
