import type {RelayPool} from '../http/index.js'
import type {SleepyEngine} from '../inference/index.js'
import type {ModelConfig} from './config/controller-config.js'
import {ReplicaSet} from './core/index.js'

/** One model's engines, and the connections to them. */
export class Door {
  config: ModelConfig
  readonly replicas: ReplicaSet
  readonly #pools = new Map<string, RelayPool>()
  readonly #createPool: (origin: string) => RelayPool

  constructor(config: ModelConfig, createPool: (origin: string) => RelayPool) {
    this.config = config
    this.replicas = new ReplicaSet(config.routing, config.replicas)
    this.#createPool = createPool
  }

  configure(config: ModelConfig): void {
    this.config = config
    this.replicas.configure(config.routing, config.replicas)
    const urls = new Set(config.replicas.map(({url}) => url))
    for (const [url, pool] of this.#pools) {
      if (urls.has(url)) continue
      this.#pools.delete(url)
      // What runs on it runs to its end.
      void pool.close()
    }
  }

  pool(url: string): RelayPool {
    let pool = this.#pools.get(url)
    if (!pool) this.#pools.set(url, (pool = this.#createPool(new URL(url).origin)))
    return pool
  }

  /** Its engines as those that call them to sleep see them. */
  get sleepers(): SleepyEngine[] {
    const {name, engine, replicas, apiKey, sleepLevel} = this.config
    return replicas.map(({url}) => ({
      ...{url, apiKey, model: name, level: sleepLevel},
      kind: engine === 'sglang' ? 'sglang' : 'vllm',
    }))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map(pool => pool.close()))
  }
}
