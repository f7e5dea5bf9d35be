import type {ClusterRecord, Pricing, RunWarning} from '../runs/index.js'
import {podHoldings} from './pod-holdings.js'
import type {PriceList} from './price-list.js'
import {priceResources} from './price-resources.js'

/** Prices, and how they are to be read. */
export interface PodPrices {
  readonly list: PriceList
  readonly region: string | null
  readonly isSpot: boolean
  /** About the list. */
  readonly notes: readonly RunWarning[]
}

const NOTHING_SAID = {gpus: null, migProfile: null}

/**
 * Puts prices to what each pod of a service holds, by the GPU of its own node. A GPU that the list does not know is kept without
 * a price.
 *
 * @throws ConfigurationError `PRICE_MISSING`, `REGION_UNKNOWN`, `QUANTITY_INVALID`
 * @see Siryoos/kserve-vllm-mini:cost_estimator.py — which prices every pod by the node of the first
 */
export function pricePods({pods, nodes}: ClusterRecord, prices: PodPrices): Pricing {
  const {list, region, isSpot, notes} = prices
  const products = new Map(nodes.map(({name, gpu_product: product}) => [name, product]))
  const warnings: RunWarning[] = []
  const priced = pods.map(pod => {
    const product = pod.node === null ? null : (products.get(pod.node) ?? null)
    const {gpus: kinds, cpuCores, memoryBytes} = podHoldings(pod, product, list.counting)
    const missing = [cpuCores === 0 && 'CPU', memoryBytes === 0 && 'memory'].filter(name => name !== false)
    if (missing.length > 0) {
      const message = `${pod.name} asks for no ${missing.join(' and no ')}, which costs nothing here`
      warnings.push({code: 'resources_uncounted', message})
    }
    const resources = {...NOTHING_SAID, cpuCores, memoryBytes}
    const seen = {kinds, isSure: true, notes: []}
    const {gpus, cpu, memory, ...of} = priceResources({gpuType: null, resources, region, isSpot, seen}, list)
    warnings.push(...of.warnings)
    const {name, node, created_at, started_at, finished_at, ready} = pod
    return {of, pod: {name, node, created_at, started_at, finished_at, ready, gpus, cpu, memory}}
  })
  const common = priced[0]?.of ?? priceResources({...NOTHING, region, isSpot}, list)
  return {
    ...{schema_version: 1, currency: common.currency, prices_from: common.prices_from},
    ...{price_multiplier: common.price_multiplier, overhead_fraction: common.overhead_fraction},
    ...{gpus: [], cpu: null, memory: null, pods: priced.map(({pod}) => pod)},
    warnings: distinct([...notes, ...warnings]),
  }
}

const NOTHING = {
  gpuType: null,
  resources: {...NOTHING_SAID, cpuCores: 0, memoryBytes: 0},
  seen: {kinds: [], isSure: true, notes: []},
}

function distinct(warnings: readonly RunWarning[]): RunWarning[] {
  return [...new Map(warnings.map(one => [`${one.code} ${one.message}`, one])).values()]
}
