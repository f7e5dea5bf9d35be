import {KvctlError} from '../foundation/index.js'
import type {NodeRecord} from '../runs/index.js'
import type {Cluster} from './kubectl.js'

interface NodeObject {
  readonly metadata: {readonly labels?: Readonly<Record<string, string>>}
}

/** @see NVIDIA/k8s-device-plugin:internal/lm/resource.go */
const PRODUCT_LABELS = ['nvidia.com/gpu.product', 'nvidia.com/gpu.product.name', 'nvidia.com/gpu.family']

/** The GPUs of nodes as their labels name them, each node asked for once. */
export class NodeProducts {
  readonly #cluster: Cluster
  readonly #known = new Map<string, NodeRecord>()
  #denied: string | null = null

  /** @param earlier what was known before; what was not is asked for again */
  constructor(cluster: Cluster, earlier: readonly NodeRecord[] = []) {
    this.#cluster = cluster
    for (const node of earlier) this.#known.set(node.name, node)
  }

  /** Asks for what is not known; a node that may not be read, or does not answer, is kept with the reason. */
  async learn(names: Iterable<string>, signal: AbortSignal): Promise<void> {
    for (const name of names) {
      const known = this.#known.get(name)
      if (known?.unavailable === null) continue
      this.#known.set(name, await this.#ask(name, signal))
    }
  }

  async #ask(name: string, signal: AbortSignal): Promise<NodeRecord> {
    if (this.#denied !== null) return unknown(name, this.#denied)
    try {
      const node = (await this.#cluster.get('nodes', name, null, signal)) as NodeObject | null
      if (node === null) return unknown(name, `node ${name} is gone`)
      const {labels = {}} = node.metadata
      const product = PRODUCT_LABELS.flatMap(label => labels[label] ?? [])[0] ?? null
      return {name, gpu_product: product, unavailable: null}
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KvctlError)) throw error
      // What may not be read of one node may not be read of any.
      if (error.code === 'PERMISSION_DENIED') this.#denied = error.message
      return unknown(name, error.message)
    }
  }

  /** In the order of the names. */
  records(names: Iterable<string>): NodeRecord[] {
    return [...names].map(
      name => this.#known.get(name) ?? unknown(name, `node ${name} was not looked at yet`),
    )
  }
}

function unknown(name: string, unavailable: string): NodeRecord {
  return {name, gpu_product: null, unavailable}
}
