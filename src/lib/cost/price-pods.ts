import type {ClusterRecord, PricedGpus, Pricing, RunWarning} from '../runs/index.js'
import {podHoldings} from './pod-holdings.js'
import type {PriceList} from './price-list.js'
import {priceResources} from './price-resources.js'

/** Prices, and how they are to be read. */
export interface PodPrices {
  readonly list: PriceList
  readonly region: string | null
  readonly isSpot: boolean
  /** Stands for what the nodes say; null asks them. */
  readonly gpuType: string | null
  /** About the list. */
  readonly notes: readonly RunWarning[]
}

const NOTHING_SAID = {gpus: null, migProfile: null}

/**
 * Puts prices to what each pod of a service holds, by the GPU of its own node, or that which was said. A GPU that the list does
 * not know, or of a node that could not be looked at, is kept without a price.
 *
 * @throws ConfigurationError `PRICE_MISSING`, `REGION_UNKNOWN`, `QUANTITY_INVALID`; `GPU_PRICE_UNKNOWN` and `GPU_AMBIGUOUS` of
 * one that was said
 * @see Siryoos/kserve-vllm-mini:cost_estimator.py — which prices every pod by the node of the first
 */
export function pricePods({pods, nodes}: ClusterRecord, prices: PodPrices): Pricing {
  const {list, region, isSpot, gpuType, notes} = prices
  const said = {gpuType, resources: NOTHING_COUNTED, region, isSpot, seen: null}
  if (gpuType !== null) priceResources(said, list)
  const known = new Map(nodes.map(node => [node.name, node]))
  const warnings: RunWarning[] = []
  const priced = pods.map(pod => {
    const node = known.get(pod.node ?? '')
    const product = gpuType ?? node?.gpu_product ?? null
    const unavailable = gpuType === null ? (node?.unavailable ?? null) : null
    const {gpus: held, cpuCores, memoryBytes} = podHoldings(pod, product, list.counting)
    const kinds = unavailable === null ? held : []
    const missing = [cpuCores === 0 && 'CPU', memoryBytes === 0 && 'memory'].filter(name => name !== false)
    if (missing.length > 0) {
      const message = `${pod.name} asks for no ${missing.join(' and no ')}, which costs nothing here`
      warnings.push({code: 'resources_uncounted', message})
    }
    const resources = {...NOTHING_SAID, cpuCores, memoryBytes}
    const seen = {kinds, isSure: true, notes: []}
    const {gpus, cpu, memory, ...of} = priceResources({gpuType: null, resources, region, isSpot, seen}, list)
    warnings.push(...of.warnings)
    const unseen = unavailable === null ? [] : held.map(({count}) => unpriced(count))
    if (unseen.length > 0) {
      const message = `which GPUs ${pod.name} holds is not known, nor what they cost: ${unavailable}; name them with --gpu-type`
      warnings.push({code: 'gpu_price_unknown', message})
    }
    const {name, created_at, started_at, finished_at, ready} = pod
    const facts = {name, node: pod.node, created_at, started_at, finished_at, ready}
    return {of, pod: {...facts, gpus: [...gpus, ...unseen], cpu, memory}}
  })
  const common = priced[0]?.of ?? priceResources({...NOTHING, region, isSpot}, list)
  return {
    ...{schema_version: 1, currency: common.currency, prices_from: common.prices_from},
    ...{price_multiplier: common.price_multiplier, overhead_fraction: common.overhead_fraction},
    ...{gpus: [], cpu: null, memory: null, pods: priced.map(({pod}) => pod)},
    warnings: distinct([...notes, ...warnings]),
  }
}

const NOTHING_COUNTED = {...NOTHING_SAID, cpuCores: null, memoryBytes: null}
const NOTHING = {
  gpuType: null,
  resources: {...NOTHING_SAID, cpuCores: 0, memoryBytes: 0},
  seen: {kinds: [], isSure: true, notes: []},
}

function unpriced(count: number): PricedGpus {
  return {product: 'unknown', count, hourly: null, price_entry: null, price_rule: 'unknown'}
}

function distinct(warnings: readonly RunWarning[]): RunWarning[] {
  return [...new Map(warnings.map(one => [`${one.code} ${one.message}`, one])).values()]
}
