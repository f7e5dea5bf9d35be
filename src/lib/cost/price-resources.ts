import {ConfigurationError} from '../foundation/index.js'
import type {GpuKind, PricedGpus, Pricing, RunWarning, WhoServed} from '../runs/index.js'
import {findGpuPrice} from './find-gpu-price.js'
import {parseGpuName} from './gpu-name.js'
import type {PriceList} from './price-list.js'
import type {Resources} from './resources.js'

/** What a deployment holds, as far as somebody said or saw it. */
export interface Holdings {
  /** Product name; null when nobody said. */
  readonly gpuType: string | null
  readonly resources: Resources
  readonly region: string | null
  readonly isSpot: boolean
  /** GPUs that were seen; null when none was, or nobody looked. */
  readonly seen: SeenGpus | null
}

/** GPUs that were seen. They count where nobody said, and name the product where only a count was said. */
export interface SeenGpus extends WhoServed {
  /** What a reader should know about them when they are priced. */
  readonly notes: readonly RunWarning[]
}

const BYTES_PER_GIB = 1024 ** 3

/**
 * Puts prices to what a deployment holds. A GPU type without a count is one GPU; a count without a type is of the product that
 * was seen, else takes the list's default price. A product that was said must have a price; one that was seen and has none is
 * kept without, with a warning.
 *
 * @param notes warnings about the price list, and about what was seen
 * @throws ConfigurationError `RESOURCES_MISSING`, `PRICE_MISSING`, `GPU_PRICE_UNKNOWN`, `GPU_AMBIGUOUS`, `GPU_TYPE_MISSING`,
 * `REGION_UNKNOWN`
 */
export function priceResources(
  holdings: Holdings,
  list: PriceList,
  notes: readonly RunWarning[] = [],
): Pricing {
  const multiplier = regionMultiplier(holdings.region, list) * (holdings.isSpot ? spotMultiplier(list) : 1)
  const {cpuCores, memoryBytes} = holdings.resources
  const warnings = [...notes]
  const gpus = priceGpus(holdings, list, multiplier, warnings)
  if (gpus === null && cpuCores === null && memoryBytes === null) {
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
  const missing = [gpus === null && 'GPUs', cpuCores === null && 'CPU', memoryBytes === null && 'memory']
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
    gpus: gpus ?? [],
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
    pods: [],
    overhead_fraction: list.overheadFraction ?? 0,
    warnings,
  }
}

/** Null when nobody counted GPUs. */
function priceGpus(
  {gpuType, resources, seen}: Holdings,
  list: PriceList,
  multiplier: number,
  warnings: RunWarning[],
): PricedGpus[] | null {
  const {gpus: said, migProfile, cpuCores, memoryBytes} = resources
  if (said === 0) return []
  if (gpuType !== null || (said !== null && seen === null)) {
    if (said === null) warnings.push(...otherCount(seen))
    return [priceSaid(productOf(gpuType, migProfile), said ?? 1, list, multiplier, warnings)]
  }
  if (seen === null) return null
  // A list without GPUs says that there are none, unless they were seen at work.
  if (said === null && !seen.isSure && (cpuCores !== null || memoryBytes !== null)) return null
  warnings.push(...seen.notes)
  const total = countOf(seen)
  const kinds =
    said === null || said === total
      ? seen.kinds
      : [{product: seen.kinds.length === 1 ? seen.kinds[0]!.product : null, count: said}]
  return kinds.map(kind =>
    priceSeen({...kind, product: productOf(kind.product, migProfile)}, list, multiplier, warnings),
  )
}

/** A type was said and no count: one is priced, whoever else was seen. */
function otherCount(seen: SeenGpus | null): RunWarning[] {
  const total = countOf(seen)
  if (seen?.isSure !== true || total === 1) return []
  const message = `${total} GPUs were seen to serve and 1 is priced: --resources gpu=${total} prices all`
  return [{code: 'gpu_count_differs', message}]
}

function countOf(seen: SeenGpus | null): number {
  return seen?.kinds.reduce((sum, {count}) => sum + count, 0) ?? 0
}

function priceSaid(
  product: string | null,
  count: number,
  list: PriceList,
  multiplier: number,
  warnings: RunWarning[],
): PricedGpus {
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

/** The same without a refusal: what was seen is there, whether or not the list knows it. */
function priceSeen(
  {product, count}: GpuKind,
  list: PriceList,
  multiplier: number,
  warnings: RunWarning[],
): PricedGpus {
  try {
    return priceSaid(product, count, list, multiplier, warnings)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    const why = product === null ? 'which GPU served is not known' : error.message
    warnings.push({
      code: 'gpu_price_unknown',
      message: `${why}: what it costs is unknown; list it in the file of --cost-config, or name another entry with --gpu-type`,
    })
    return {product: product ?? 'unknown', count, hourly: null, price_entry: null, price_rule: 'unknown'}
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
