import {ConfigurationError} from '../foundation/index.js'
import {migShare, parseGpuName, type GpuName} from './gpu-name.js'
import type {PriceList} from './price-list.js'

export interface GpuPrice {
  /** Of one GPU or slice, per hour. */
  readonly hourly: number
  /** How the price was found, for the reader: `exact`, `same model`, `1/7 of NVIDIA-A100-40GB`, `default`. */
  readonly rule: string
  /** The entry of the list that gave it. */
  readonly entry: string
  /** True when the list does not know the product and its price for unnamed ones was taken. */
  readonly isDefault: boolean
}

/**
 * The price of a product: an entry of exactly that name (in any case), else the entry of the same model, compared by whole
 * words, whose memory size does not contradict it. `A10` is never `A100`, `L40` never `L40S`. A MIG slice costs its share of
 * the GPU unless the list prices the slice. What the list does not name costs its default, if it has one.
 *
 * @throws ConfigurationError `GPU_PRICE_UNKNOWN` with the names that the list has, `GPU_AMBIGUOUS` when several sizes of the
 * model have different prices
 */
export function findGpuPrice(product: string, list: PriceList): GpuPrice {
  const name = parseGpuName(product)
  return (
    exactPrice(product, list) ??
    (name.migProfile === null ? modelPrice(product, name, list) : slicePrice(product, name, list)) ??
    defaultPrice(product, list)
  )
}

function exactPrice(product: string, list: PriceList): GpuPrice | null {
  const wanted = product.trim().toLowerCase()
  const found = Object.entries(list.gpuHourly).find(([entry]) => entry.toLowerCase() === wanted)
  return found ? {hourly: found[1], rule: 'exact', entry: found[0], isDefault: false} : null
}

function modelPrice(product: string, {family, memoryGb}: GpuName, list: PriceList): GpuPrice | null {
  const entries = Object.entries(list.gpuHourly).map(([entry, hourly]) => ({
    entry,
    hourly,
    ...parseGpuName(entry),
  }))
  const ofModel = entries.filter(entry => entry.family === family && entry.migProfile === null)
  const sameSize = ofModel.filter(entry => entry.memoryGb === memoryGb)
  const candidates =
    sameSize.length > 0 ? sameSize : ofModel.filter(entry => entry.memoryGb === null || memoryGb === null)
  const [first] = candidates
  if (first === undefined) return null
  if (candidates.some(({hourly}) => hourly !== first.hourly)) {
    throw new ConfigurationError(
      'GPU_AMBIGUOUS',
      `'${product}' may be ${candidates.map(({entry}) => entry).join(' or ')}, whose prices differ`,
      {suggestions: candidates.map(({entry}) => `--gpu-type ${entry}`)},
    )
  }
  return {hourly: first.hourly, rule: 'same model', entry: first.entry, isDefault: false}
}

function slicePrice(product: string, name: GpuName, list: PriceList): GpuPrice | null {
  const profile = name.migProfile!
  const own = list.migHourly[profile]
  if (own !== undefined)
    return {hourly: own, rule: 'price of the slice', entry: `mig ${profile}`, isDefault: false}
  const whole = modelPrice(product, name, list)
  if (whole === null) return null
  const {slices, of} = migShare(name.family, profile)
  return {...whole, hourly: (whole.hourly * slices) / of, rule: `${slices}/${of} of ${whole.entry}`}
}

function defaultPrice(product: string, list: PriceList): GpuPrice {
  if (list.gpuDefaultHourly !== null) {
    return {hourly: list.gpuDefaultHourly, rule: 'default', entry: 'default', isDefault: true}
  }
  const known = Object.keys(list.gpuHourly)
  throw new ConfigurationError('GPU_PRICE_UNKNOWN', `${list.source} has no price for '${product}'`, {
    suggestions: [
      known.length === 0 ? 'list it under gpu' : `known are ${known.join(', ')}`,
      'prices of your own in a file: --cost-config cost.yaml',
    ],
  })
}
