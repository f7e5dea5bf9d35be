import {ConfigurationError} from '../foundation/index.js'
import type {Pricing} from '../runs/index.js'
import {findGpuPrice} from './find-gpu-price.js'
import {parseGpuName} from './gpu-name.js'
import type {PriceList} from './price-list.js'
import type {Resources} from './resources.js'

/** What the user said about a deployment. */
export interface Holdings {
  /** Product name; null when nobody said. */
  readonly gpuType: string | null
  readonly resources: Resources
  readonly region: string | null
  readonly isSpot: boolean
}

const BYTES_PER_GIB = 1024 ** 3

/**
 * Puts prices to what a deployment holds. A GPU type without a count is one GPU; a count without a type takes the list's
 * default price.
 *
 * @param notes warnings about the price list itself
 * @throws ConfigurationError `RESOURCES_MISSING`, `PRICE_MISSING`, `GPU_PRICE_UNKNOWN`, `GPU_AMBIGUOUS`, `REGION_UNKNOWN`
 */
export function priceResources(holdings: Holdings, list: PriceList, notes: readonly string[] = []): Pricing {
  const multiplier = regionMultiplier(holdings.region, list) * (holdings.isSpot ? spotMultiplier(list) : 1)
  const {cpuCores, memoryBytes} = holdings.resources
  const warnings = notes.map(message => ({code: 'price_list', message}))
  const gpu = priceGpu(holdings, list, multiplier, warnings)
  if (gpu === null && cpuCores === null && memoryBytes === null) {
    throw new ConfigurationError('RESOURCES_MISSING', 'what the deployment holds is not said', {
      suggestions: ['--gpu-type A100-80GB', '--resources cpu=2,memory=12Gi,gpu=1'],
    })
  }
  const used = {cpu: cpuCores !== null, memory: memoryBytes !== null, overhead: true}
  const assumed = list.assumed.filter(name => used[name])
  if (assumed.length > 0) {
    const message = `${list.source} does not give ${assumed.join(', ')}: kserve-vllm-mini's example is taken`
    warnings.push({code: 'price_assumed', message})
  }
  const missing = [gpu === null && 'GPUs', cpuCores === null && 'CPU', memoryBytes === null && 'memory']
  const uncounted = missing.filter(name => name !== false)
  if (uncounted.length > 0) {
    const message = `${uncounted.join(' and ')} of the deployment are not said and cost nothing here`
    warnings.push({code: 'resources_uncounted', message})
  }
  return {
    schema_version: 1,
    currency: list.currency,
    prices_from: list.source,
    price_multiplier: multiplier,
    gpu,
    cpu:
      cpuCores === null
        ? null
        : {
            cores: cpuCores,
            hourly_per_core: required(list.cpuHourlyPerCore, 'CPU', list) * multiplier,
          },
    memory:
      memoryBytes === null
        ? null
        : {
            gib: memoryBytes / BYTES_PER_GIB,
            hourly_per_gib: required(list.memoryHourlyPerGib, 'memory', list) * multiplier,
          },
    overhead_fraction: list.overheadFraction ?? 0,
    warnings,
  }
}

function priceGpu(
  {gpuType, resources: {gpus, migProfile}}: Holdings,
  list: PriceList,
  multiplier: number,
  warnings: Pricing['warnings'],
): Pricing['gpu'] {
  const count = gpus ?? (gpuType === null ? null : 1)
  if (count === null) return null
  const product = productOf(gpuType, migProfile)
  if (product === null && list.gpuDefaultHourly === null) {
    throw new ConfigurationError('GPU_TYPE_MISSING', 'which GPU the deployment holds is not said', {
      suggestions: Object.keys(list.gpuHourly).map(entry => `--gpu-type ${entry}`),
    })
  }
  const price = findGpuPrice(product ?? 'default', list)
  if (price.isDefault) {
    const what = product === null ? 'no GPU type was given' : `${list.source} has no price for '${product}'`
    warnings.push({code: 'gpu_price_default', message: `${what}: its default price is taken`})
  }
  return {
    product: product ?? 'default',
    count,
    hourly: price.hourly * multiplier,
    price_entry: price.entry,
    price_rule: price.rule,
  }
}

/** `A100-40GB` with slices of `1g.5gb` is `A100-40GB-MIG-1g.5gb`, as Kubernetes labels it. */
function productOf(gpuType: string | null, migProfile: string | null): string | null {
  if (gpuType === null || migProfile === null) return gpuType
  const named = parseGpuName(gpuType).migProfile
  if (named === null) return `${gpuType}-MIG-${migProfile}`
  if (named === migProfile) return gpuType
  throw new ConfigurationError(
    'RESOURCES_INVALID',
    `'${gpuType}' is a slice of ${named}, but the resources count slices of ${migProfile}`,
  )
}

function regionMultiplier(region: string | null, {regionMultipliers, source}: PriceList): number {
  if (region === null) return 1
  const multiplier = regionMultipliers[region]
  if (multiplier !== undefined) return multiplier
  const known = Object.keys(regionMultipliers)
  throw new ConfigurationError('REGION_UNKNOWN', `${source} has no region '${region}'`, {
    suggestions: [known.length === 0 ? 'list it under regions' : `known are ${known.join(', ')}`],
  })
}

function spotMultiplier({spotMultiplier: multiplier, source}: PriceList): number {
  return required(multiplier, 'spot machines (spot_multiplier)', {source})
}

function required(value: number | null, what: string, {source}: Pick<PriceList, 'source'>): number {
  if (value !== null) return value
  throw new ConfigurationError('PRICE_MISSING', `${source} has no price for ${what}`, {
    suggestions: ['prices of your own in a file: --cost-config cost.yaml'],
  })
}
