import {parseQuantity} from '../foundation/index.js'
import type {PodRecord} from '../runs/index.js'
import {parseGpuName} from './gpu-name.js'

/** What a pod holds while it runs. */
export interface PodHoldings {
  /** By product; null where its node does not say. */
  readonly gpus: readonly {readonly product: string | null; readonly count: number}[]
  readonly cpuCores: number
  readonly memoryBytes: number
}

/** How a price list wants resources counted. */
export interface Counting {
  /** Requests first, else limits first. */
  readonly usesRequests: boolean
  readonly includesSidecars: boolean
}

/** Containers that stand beside the one that serves. */
const SIDECARS = new Set(['queue-proxy', 'istio-proxy', 'kvctl-stats'])
const MIG_KEY = /^nvidia\.com\/mig-(\d+g\.\d+gb)(?:\.me)?$/
const GPU_KEYS = new Set(['nvidia.com/gpu', 'amd.com/gpu', 'intel.com/gpu', 'habana.ai/gaudi'])

/**
 * Pure: GPUs and their slices, cores and memory of a pod's containers. A GPU counts by its request, else its limit, which
 * Kubernetes takes for it.
 *
 * @param gpuProduct of its node, as the GPU operator labels it
 * @throws ConfigurationError `QUANTITY_INVALID`
 */
export function podHoldings(
  {containers}: Pick<PodRecord, 'containers'>,
  gpuProduct: string | null,
  {usesRequests, includesSidecars}: Counting,
): PodHoldings {
  const gpus = new Map<string | null, number>()
  let [cpuCores, memoryBytes] = [0, 0]
  for (const {name, requests, limits} of containers) {
    if (SIDECARS.has(name) && !includesSidecars) continue
    const held = usesRequests ? {...limits, ...requests} : {...requests, ...limits}
    cpuCores += parseQuantity(held['cpu'] ?? 0)
    memoryBytes += parseQuantity(held['memory'] ?? 0)
    for (const [key, quantity] of Object.entries({...limits, ...requests})) {
      const profile = MIG_KEY.exec(key)?.[1] ?? null
      if (profile === null && !GPU_KEYS.has(key)) continue
      const product = productOf(gpuProduct, profile)
      gpus.set(product, (gpus.get(product) ?? 0) + parseQuantity(quantity))
    }
  }
  return {gpus: [...gpus].map(([product, count]) => ({product, count})), cpuCores, memoryBytes}
}

/** Where all GPUs of a node are cut alike, its label names the slice already. */
function productOf(gpuProduct: string | null, profile: string | null): string | null {
  if (gpuProduct === null || profile === null) return gpuProduct
  return parseGpuName(gpuProduct).migProfile === null ? `${gpuProduct}-MIG-${profile}` : gpuProduct
}
