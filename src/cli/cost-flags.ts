import {Flags, type Interfaces} from '@oclif/core'
import {ConfigurationError, parseDurationMs} from '../lib/foundation/index.js'
import type {Pricing} from '../lib/runs/index.js'

const COST = 'COST'

/** What a deployment holds and what that costs. */
export const costFlags = {
  'gpu-type': Flags.string({
    description: 'GPU product to price, such as A100-80GB or NVIDIA-A100-SXM4-40GB-MIG-1g.5gb',
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
 * What the deployment named by the flags holds, with prices.
 *
 * @throws ConfigurationError when the price file cannot be read, or when something has no price
 */
export async function pricingOfFlags(flags: CostFlags): Promise<Pricing> {
  const {loadPriceList, parseResources, priceResources} = await import('../lib/cost/index.js')
  const resources = parseResources(flags.resources ?? '')
  const {list, warnings} = await loadPriceList(
    flags['cost-config'] ?? (process.env['KVMINI_COST_CONFIG'] || null),
  )
  return priceResources(
    {
      gpuType: flags['gpu-type'] ?? null,
      resources,
      region: flags.region ?? null,
      isSpot: flags.spot,
    },
    list,
    warnings,
  )
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
