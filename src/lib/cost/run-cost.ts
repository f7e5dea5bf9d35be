import type {Pricing} from '../runs/index.js'

const SECONDS_PER_HOUR = 3600

/** Per hour, in the currency of the pricing; a resource that nobody counted is null. */
export interface HourlyCost {
  readonly total: number
  readonly gpu: number | null
  readonly cpu: number | null
  readonly memory: number | null
}

/**
 * Cost of an hour: (GPUs · GPU price + cores · core price + GiB · GiB price) · (1 + overhead); each part carries its share of
 * the overhead.
 *
 * @returns currency per hour
 * @see Siryoos/kserve-vllm-mini:cost_estimator.py
 */
export function hourlyCost(pricing: Pricing): HourlyCost {
  const {gpu, cpu, memory, overhead_fraction: overhead} = pricing
  const loaded = (count: number, price: number): number => count * price * (1 + overhead)
  const parts = {
    gpu: gpu && loaded(gpu.count, gpu.hourly),
    cpu: cpu && loaded(cpu.cores, cpu.hourly_per_core),
    memory: memory && loaded(memory.gib, memory.hourly_per_gib),
  }
  return {...parts, total: (parts.gpu ?? 0) + (parts.cpu ?? 0) + (parts.memory ?? 0)}
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
  const total = seconds === null ? null : (hourlyCost(pricing).total * seconds) / SECONDS_PER_HOUR
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

/** Cost of keeping a deployment for so many hours, busy or idle. */
export function standingCost(pricing: Pricing, hours: number): number {
  return hourlyCost(pricing).total * hours
}
