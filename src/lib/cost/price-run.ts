import {ConfigurationError} from '../foundation/index.js'
import {
  readClusterRecord,
  readWhoServed,
  writePricing,
  type Pricing,
  type RunDirectory,
  type RunWarning,
} from '../runs/index.js'
import type {PriceList} from './price-list.js'
import {pricePods} from './price-pods.js'
import {priceResources, type Holdings, type SeenGpus} from './price-resources.js'

/** What was said of a deployment and its prices. */
export interface PriceWish extends Omit<Holdings, 'seen'> {
  readonly list: PriceList
  /** About the list. */
  readonly notes: readonly RunWarning[]
}

/** What only the GPUs that serve can tell. */
const ANSWERED_LATER = new Set(['RESOURCES_MISSING', 'GPU_TYPE_MISSING'])

/**
 * Finds out before a run what could not be priced after it.
 *
 * @throws as `priceResources`, but for what the GPUs that serve may tell
 */
export function requirePriceable({list, notes, ...holdings}: PriceWish): void {
  try {
    priceResources({...holdings, seen: null}, list, notes)
  } catch (error) {
    if (!(error instanceof ConfigurationError) || !ANSWERED_LATER.has(error.code)) throw error
  }
}

/**
 * Prices a run by the amounts that were said, else by the pods that served it, else by the GPUs that its samples saw serve, and
 * writes `pricing.json`. A count of GPUs of which nobody knows the product is kept without a price.
 *
 * @returns null when nothing was said or seen that could cost
 * @throws ConfigurationError as `requirePriceable`; ResourceError `DISK_FULL`, `NOT_WRITABLE`
 */
export async function priceRun(run: RunDirectory, wish: PriceWish): Promise<Pricing | null> {
  const ofPods = await priceRecordedPods(run, wish)
  if (ofPods !== null) {
    await writePricing(run, ofPods)
    return ofPods
  }
  const {list, notes, ...holdings} = wish
  const {gpuType, resources} = holdings
  const {gpus, cpuCores, memoryBytes} = resources
  const seen = (await seenByRun(run)) ?? (gpus === null || gpuType !== null ? null : unnamed(gpus))
  if (gpuType === null && gpus === null && cpuCores === null && memoryBytes === null && seen === null)
    return null
  const pricing = priceResources({...holdings, seen}, list, notes)
  await writePricing(run, pricing)
  return pricing
}

/** The pods that a run recorded, priced; null where it recorded none, or amounts of something else were said. */
export async function priceRecordedPods(run: RunDirectory, wish: PriceWish): Promise<Pricing | null> {
  const isSaid = Object.values(wish.resources).some(amount => amount !== null)
  const record = isSaid ? null : await readClusterRecord(run)
  return record === null || record.pods.length === 0 ? null : pricePods(record, wish)
}

/** GPUs as the run's samples saw them; null when they saw none. */
export async function seenByRun(run: RunDirectory): Promise<SeenGpus | null> {
  const who = await readWhoServed(run)
  if (who === null) return null
  const {isSure, kinds} = who
  const count = kinds.reduce((sum, kind) => sum + kind.count, 0)
  const message = `no process of the server was seen on a GPU: all ${count} of its machine are priced`
  return {...who, notes: isSure || count === 1 ? [] : [{code: 'gpus_assumed', message}]}
}

function unnamed(count: number): SeenGpus {
  return {kinds: [{product: null, count}], isSure: true, notes: []}
}
