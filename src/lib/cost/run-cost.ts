import type {Pricing} from '../runs/index.js'

const SECONDS_PER_HOUR = 3600

/** Per hour, in the currency of the pricing; a resource that nobody counted, or whose price is unknown, is null. */
export interface HourlyCost {
  /** Null where a price is unknown; what nobody counted costs nothing. */
  readonly total: number | null
  readonly gpu: number | null
  readonly cpu: number | null
  readonly memory: number | null
}

/**
 * Cost of an hour: (Σ GPUs · GPU price + cores · core price + GiB · GiB price) · (1 + overhead); each part carries its share of
 * the overhead.
 *
 * @returns currency per hour
 * @see Siryoos/kserve-vllm-mini:cost_estimator.py
 */
export function hourlyCost({gpus, cpu, memory, overhead_fraction: overhead}: Pricing): HourlyCost {
  const loaded = (count: number, price: number): number => count * price * (1 + overhead)
  const isUnknown = gpus.some(({hourly}) => hourly === null)
  const parts = {
    gpu:
      gpus.length === 0 || isUnknown
        ? null
        : gpus.reduce((sum, {count, hourly}) => sum + loaded(count, hourly!), 0),
    cpu: cpu && loaded(cpu.cores, cpu.hourly_per_core),
    memory: memory && loaded(memory.gib, memory.hourly_per_gib),
  }
  return {...parts, total: isUnknown ? null : (parts.gpu ?? 0) + (parts.cpu ?? 0) + (parts.memory ?? 0)}
}

/** What a run did for its money. */
export interface RunOutput {
  /** From the first send to the last end of body. */
  readonly seconds: number | null
  readonly successes: number
  /** Of successful requests; null when the server did not count them. */
  readonly promptTokens: number | null
  readonly completionTokens: number | null
}

/** In the currency of the pricing. */
export interface RunCost {
  readonly total: number | null
  readonly perRequest: number | null
  /** Prompt and output tokens. */
  readonly per1kTokens: number | null
  readonly per1kOutputTokens: number | null
}

/**
 * Cost of a run: what an hour costs · seconds / 3600, shared by the successful requests, or by their tokens in thousands. The
 * deployment is taken to be up for the whole run.
 *
 * @see Siryoos/kserve-vllm-mini:cost_estimator.py
 */
export function runCost(pricing: Pricing, {seconds, successes, ...tokens}: RunOutput): RunCost {
  const {total: hourly} = hourlyCost(pricing)
  const total = seconds === null || hourly === null ? null : (hourly * seconds) / SECONDS_PER_HOUR
  const per = (count: number | null): number | null =>
    total === null || count === null || count === 0 ? null : total / count
  const thousands = (count: number | null): number | null => (count === null ? null : count / 1000)
  const {promptTokens, completionTokens} = tokens
  return {
    total,
    perRequest: per(successes),
    per1kTokens: per(
      promptTokens === null || completionTokens === null ? null : thousands(promptTokens + completionTokens),
    ),
    per1kOutputTokens: per(thousands(completionTokens)),
  }
}

/** Cost of keeping a deployment for so many hours, busy or idle; null where a price is unknown. */
export function standingCost(pricing: Pricing, hours: number): number | null {
  const {total} = hourlyCost(pricing)
  return total === null ? null : total * hours
}
