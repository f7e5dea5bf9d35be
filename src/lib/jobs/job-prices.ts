import {
  EXAMPLE_PRICES,
  loadPriceList,
  parseResources,
  priceListOf,
  requirePriceable,
  type PriceWish,
  type ReadPriceList,
  type Resources,
} from '../cost/index.js'
import {KvctlError} from '../foundation/index.js'
import type {Profile} from '../profiles/index.js'
import {RequestInvalidError, type JobRequest} from './job-request.js'

/**
 * What a run is priced with: what the request says of GPU, resources and prices; a profile that it names says what is held where
 * it does not. Without prices of its own those of the server count: `KVMINI_COST_CONFIG`, else `cost.yaml` of its working
 * directory, else kserve-vllm-mini's examples.
 *
 * @returns null when nothing asks for a price
 * @throws RequestInvalidError for what is asked for and has no price; the server's own file is no matter of a request
 */
export async function jobPrices(request: JobRequest, profile: Profile): Promise<PriceWish | null> {
  const {gpu_type, cost_config, region, spot} = request
  const resources = resourcesOf(request, profile)
  const isAsked =
    gpu_type != null || request.resources != null || cost_config !== null || region != null || spot
  const read = cost_config === null ? await serverPrices(isAsked) : requestPrices(cost_config)
  // A shipped profile is an example, and so are those prices: together they say nothing about anybody's server.
  const isHeld =
    typeof request.profile === 'object' && Object.values(resources).some(amount => amount !== null)
  if (read === null || (!isAsked && !isHeld && read.list === EXAMPLE_PRICES)) return null
  const wish: PriceWish = {
    ...{gpuType: gpu_type ?? null, resources, region: region ?? null, isSpot: spot, list: read.list},
    notes: read.warnings.map(message => ({code: 'price_list', message})),
  }
  checked(gpu_type == null ? 'resources' : 'gpu_type', () => requirePriceable(wish))
  return wish
}

function resourcesOf({resources, profile: named}: JobRequest, profile: Profile): Resources {
  if (resources != null) return checked('resources', () => parseResources(listOf(resources)))
  const {requests, limits} = profile.resources
  if (named === undefined) return parseResources('')
  return checked('profile.resources', () => parseResources(listOf({...limits, ...requests})))
}

/** `cpu=2,memory=12Gi`, also from a block as Kubernetes has it. */
function listOf(resources: NonNullable<JobRequest['resources']>): string {
  if (typeof resources === 'string') return resources
  return Object.entries(resources)
    .map(([name, amount]) => `${name}=${String(amount)}`)
    .join(',')
}

function requestPrices(value: Readonly<Record<string, unknown>>): ReadPriceList {
  return checked('cost_config', () => priceListOf({source: 'cost_config', value, lineOf: () => 1}))
}

/** Null where the server's file is broken and nobody asked for prices. */
async function serverPrices(isAsked: boolean): Promise<ReadPriceList | null> {
  try {
    return await loadPriceList(process.env['KVMINI_COST_CONFIG'] || null)
  } catch (error) {
    if (isAsked || !(error instanceof KvctlError)) throw error
    return null
  }
}

function checked<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof KvctlError)) throw error
    const message = error.message.replaceAll('cost_config:1: ', '')
    const next = error.suggestions.length > 0 ? ` (${error.suggestions.join('; ')})` : ''
    throw new RequestInvalidError([{path, message: `${message}${next}`}])
  }
}
