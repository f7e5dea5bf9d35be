import {Flags, type Interfaces} from '@oclif/core'
import type {PriceWish} from '../lib/cost/index.js'
import {ConfigurationError, KvctlError, parseDurationMs} from '../lib/foundation/index.js'

const COST = 'COST'

/** What a deployment holds and what that costs. */
export const costFlags = {
  'gpu-type': Flags.string({
    description:
      'GPU product to price, such as A100-80GB or NVIDIA-A100-SXM4-40GB-MIG-1g.5gb (default: the GPUs that served)',
    helpGroup: COST,
    helpValue: 'NAME',
  }),
  resources: Flags.string({
    description: 'what the deployment holds, all replicas together, such as cpu=2,memory=12Gi,gpu=1',
    helpGroup: COST,
    helpValue: 'LIST',
  }),
  'cost-config': Flags.string({
    aliases: ['cost-file'],
    description: "price file (default KVMINI_COST_CONFIG, else cost.yaml, else kserve-vllm-mini's examples)",
    helpGroup: COST,
    helpValue: 'FILE',
  }),
  region: Flags.string({description: "a region of the price file's regions", helpGroup: COST}),
  spot: Flags.boolean({description: "apply the price file's spot_multiplier", helpGroup: COST}),
}

type CostFlags = Interfaces.InferredFlags<typeof costFlags>

/** True when the command line says what the deployment holds. */
export function namesHoldings(flags: Partial<CostFlags>): boolean {
  return flags['gpu-type'] !== undefined || flags.resources !== undefined
}

/** True when the command line says anything about prices or holdings. */
export function namesPrices(flags: Partial<CostFlags>): boolean {
  return (
    namesHoldings(flags) ||
    flags['cost-config'] !== undefined ||
    flags.region !== undefined ||
    flags.spot === true
  )
}

/**
 * What the flags say of a deployment and its prices.
 *
 * @throws ConfigurationError when the price file or the list of resources cannot be read
 */
export async function priceWishOf(flags: CostFlags): Promise<PriceWish> {
  const {loadPriceList, parseResources} = await import('../lib/cost/index.js')
  const resources = parseResources(flags.resources ?? '')
  const {list, warnings} = await loadPriceList(
    flags['cost-config'] ?? (process.env['KVMINI_COST_CONFIG'] || null),
  )
  return {
    ...{
      gpuType: flags['gpu-type'] ?? null,
      resources,
      region: flags.region ?? null,
      isSpot: flags.spot,
      list,
    },
    notes: warnings.map(message => ({code: 'price_list', message})),
  }
}

/**
 * What a run to come is priced with: what the flags say, or the prices that lie ready; null when neither is there.
 *
 * @param warn told why prices that lie ready, but were not asked for, cannot be used
 * @throws ConfigurationError when what was asked for has no price
 */
export async function runPricesOf(
  flags: CostFlags,
  warn: (message: string) => void,
): Promise<PriceWish | null> {
  const {EXAMPLE_PRICES, requirePriceable} = await import('../lib/cost/index.js')
  const isAsked = namesPrices(flags)
  try {
    const wish = await priceWishOf(flags)
    if (!isAsked && wish.list === EXAMPLE_PRICES) return null
    requirePriceable(wish)
    return wish
  } catch (error) {
    if (isAsked || !(error instanceof KvctlError)) throw error
    warn(`the run will not be priced: ${error.message}`)
    return null
  }
}

/** Hours: a bare number, or a duration such as `90m` or `7d`. */
export const hoursFlag = Flags.custom<number>({
  parse: async (text, _, {name}) => {
    const hours = /^[\d.]+$/.test(text) ? Number(text) : parseDurationMs(text) / 3_600_000
    if (hours > 0 && Number.isFinite(hours)) return hours
    throw new ConfigurationError('USAGE', `--${name} takes a number of hours above 0, not '${text}'`)
  },
  helpValue: 'HOURS',
})
