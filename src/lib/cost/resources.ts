import {ConfigurationError, parseQuantity} from '../foundation/index.js'

/** What a deployment holds while it runs, all its replicas together; null where nobody said. */
export interface Resources {
  readonly gpus: number | null
  /** The slices that `gpus` counts, such as `1g.5gb`; null for whole GPUs. */
  readonly migProfile: string | null
  readonly cpuCores: number | null
  readonly memoryBytes: number | null
}

const MIG_KEY = /^(?:nvidia\.com\/)?mig-(\d+g\.\d+gb)(?:\.me)?$/
const LEAST_MEMORY_BYTES = 2 ** 20

/**
 * Reads a list as Kubernetes spells resources: `cpu=2000m,memory=12Gi,nvidia.com/gpu=1`; `gpu` and `mig-1g.5gb` need no
 * prefix. An empty list says nothing.
 *
 * @throws ConfigurationError `RESOURCES_INVALID`, `QUANTITY_INVALID`
 */
export function parseResources(text: string): Resources {
  let found: Resources = {gpus: null, migProfile: null, cpuCores: null, memoryBytes: null}
  if (text.trim() === '') return found
  const seen = new Set<string>()
  for (const pair of text.split(',')) {
    const [key = '', quantity, ...rest] = pair.split('=')
    if (quantity === undefined || rest.length > 0) throw invalid(`'${pair.trim()}' is not NAME=QUANTITY`)
    const {name, ...value} = resourceOf(key.trim().toLowerCase(), quantity.trim())
    if (seen.has(name)) throw invalid(`'${text}' names ${name} twice: one kind of GPU, one count`)
    seen.add(name)
    found = {...found, ...value}
  }
  return found
}

function resourceOf(key: string, quantity: string): Partial<Resources> & {readonly name: string} {
  const amount = parseQuantity(quantity)
  const mig = MIG_KEY.exec(key)
  if (mig || ['gpu', 'nvidia.com/gpu', 'amd.com/gpu'].includes(key)) {
    if (!Number.isInteger(amount)) throw invalid(`${key}=${quantity} is not a whole number`)
    return {name: 'a GPU', gpus: amount, migProfile: mig?.[1] ?? null}
  }
  if (key === 'cpu') return {name: key, cpuCores: amount}
  if (key !== 'memory') throw invalid(`'${key}' is not a resource that has a price`)
  if (amount > 0 && amount < LEAST_MEMORY_BYTES) {
    throw invalid(`memory=${quantity} is ${amount} bytes`, `memory=${quantity}Gi`)
  }
  return {name: key, memoryBytes: amount}
}

function invalid(message: string, suggestion = 'cpu=2,memory=12Gi,gpu=1'): ConfigurationError {
  return new ConfigurationError('RESOURCES_INVALID', message, {suggestions: [suggestion]})
}
