import {moneyText} from '../lib/cost/index.js'
import {formatDurationMs} from '../lib/foundation/index.js'
import type {PricedGpus, Pricing, RunResults} from '../lib/runs/index.js'

/** What a run cost and what an hour of its deployment costs, for a terminal. */
export function runCostSummary(results: RunResults, pricing: Pricing): string {
  const {currency} = pricing
  const money = (amount: number | null): string => (amount === null ? 'N/A' : moneyText(amount, 4, currency))
  const {seconds} = results.window
  const length = seconds === null ? '' : ` in ${formatDurationMs(seconds * 1000)}`
  return [
    `Run ${results.run_id}: ${money(results.total_cost)}${length}`,
    '',
    ...holdingRows(pricing, results.cost),
    '',
    amountRow('Per request', money(results.cost_per_request), 'that succeeded'),
    amountRow('Per 1,000 tokens', money(results.cost_per_1k_tokens), 'prompt and output'),
    amountRow('Per 1,000 output', money(results.cost_per_1k_output_tokens), 'output tokens alone'),
  ].join('\n')
}

/** What a deployment costs that stands for some hours. */
export function standingCostSummary(
  hours: number,
  total: number | null,
  cost: Pick<RunResults['cost'], 'hourly_cost' | 'breakdown'>,
  pricing: Pricing,
): string {
  const amount = total === null ? 'N/A' : moneyText(total, 2, pricing.currency)
  return [`${amount} for ${hours} h`, '', ...holdingRows(pricing, cost)].join('\n')
}

function holdingRows(
  pricing: Pricing,
  {hourly_cost: total, breakdown}: Pick<RunResults['cost'], 'hourly_cost' | 'breakdown'>,
): string[] {
  const {gpus, cpu, memory, overhead_fraction: overhead} = pricing
  const each = (price: number): string => moneyText(price, 4, pricing.currency)
  const gpuText = ({product, count, hourly, ...found}: PricedGpus): string =>
    `${short(count)} × ${product}${hourly === null ? ', of unknown price' : ` at ${each(hourly)} (${priceOf(found)})`}`
  const rows: [string, string | null, string][] = [
    ['GPU', breakdown.gpu, gpus.map(gpuText).join('; ')],
    ['CPU', breakdown.cpu, cpu ? `${short(cpu.cores)} cores at ${each(cpu.hourly_per_core)}` : ''],
    ['Memory', breakdown.memory, memory ? `${short(memory.gib)} GiB at ${each(memory.hourly_per_gib)}` : ''],
  ]
  const more = `overhead of ${Number((overhead * 100).toFixed(2))} % included; ${pricing.prices_from}`
  return [
    ...rows.map(([name, amount, what]) => amountRow(`${name}, per hour`, amount ?? 'N/A', what)),
    amountRow('All, per hour', total ?? 'N/A', more),
  ]
}

/** Pods that came and went count for a part. */
function short(count: number): string {
  return String(Number(count.toPrecision(4)))
}

function priceOf({
  price_rule: rule,
  price_entry: entry,
}: Pick<PricedGpus, 'price_rule' | 'price_entry'>): string {
  return entry !== null && (rule === 'exact' || rule === 'same model') ? entry : rule
}

function amountRow(name: string, amount: string, meaning: string): string {
  return `${name.padEnd(18)}${amount.padStart(14)}   ${meaning}`.trimEnd()
}
