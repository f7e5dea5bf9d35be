import type {Counting} from './pod-holdings.js'

/** Prices per hour, in one currency. */
export interface PriceList {
  /** The file, or the name of the built-in list; written into the run. */
  readonly source: string
  /** ISO 4217. */
  readonly currency: string
  /** By product name, as the list spells it. */
  readonly gpuHourly: Readonly<Record<string, number>>
  /** For a GPU that the list does not name; null when the list has no such price. */
  readonly gpuDefaultHourly: number | null
  /** Price of a MIG slice by profile (`1g.5gb`), where it is not the share of the whole GPU's. */
  readonly migHourly: Readonly<Record<string, number>>
  readonly cpuHourlyPerCore: number | null
  readonly memoryHourlyPerGib: number | null
  /** Share of the sum that comes on top: 0.1 makes 110 %. */
  readonly overheadFraction: number | null
  /** Price of interruptible machines / the normal one. */
  readonly spotMultiplier: number | null
  readonly regionMultipliers: Readonly<Record<string, number>>
  /** How resources of pods are counted. */
  readonly counting: Counting
  /** What the source does not give and upstream's estimator falls back to. */
  readonly assumed: readonly ('cpu' | 'memory' | 'overhead')[]
}

/** Requests, and the container that serves alone. */
export const USUAL_COUNTING: Counting = {usesRequests: true, includesSidecars: false}

/**
 * What kserve-vllm-mini reckons with where nobody states prices. Its GPU price for unnamed products is left out: a GPU that
 * nobody priced is an error here.
 *
 * @see Siryoos/kserve-vllm-mini:cost.yaml — "edit to match your environment"
 */
export const EXAMPLE_PRICES: PriceList = {
  source: "kserve-vllm-mini's example prices",
  currency: 'USD',
  gpuHourly: {
    'NVIDIA-A10': 1.1,
    'NVIDIA-A100-40GB': 3.5,
    'NVIDIA-A100-80GB': 4.9,
    'NVIDIA-H100-80GB': 6.5,
  },
  gpuDefaultHourly: null,
  migHourly: {},
  cpuHourlyPerCore: 0.04,
  memoryHourlyPerGib: 0.005,
  overheadFraction: 0.1,
  spotMultiplier: null,
  regionMultipliers: {},
  counting: USUAL_COUNTING,
  assumed: [],
}
