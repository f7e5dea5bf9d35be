import {Counter, Gauge, Registry} from 'prom-client'
import type {PoolSnapshot} from '../../lib/elastic/index.js'
import type {EngineObserver} from '../../lib/engine/index.js'
import type {ServedEngine} from '../served-engine.js'
import {processSeries} from './process-series.js'
import {readCounter, readGauge} from './read-series.js'
import {createVllmSeries} from './vllm-series.js'

export interface EngineMetrics {
  /** Text format 0.0.4. */
  page(): Promise<string>
  readonly contentType: string
  readonly observer: EngineObserver
  requested(n: number): void
  /** One HTTP exchange is over. */
  exchanged(method: string, status: number, handler: string): void
}

export interface EngineMetricsOptions {
  readonly engine: ServedEngine
  readonly modelName: string
  /** Labels of `vllm:cache_config_info`, as strings in Python's spelling. */
  readonly cacheConfig: Readonly<Record<string, string>>
  /** Labels of `kvctl_engine_info`: what is simulated and how. */
  readonly info: Readonly<Record<string, string>>
  readonly requestsInFlight: () => number
}

/** The `/metrics` page: vLLM's series, the HTTP and process series beside them, and our own under `kvctl_engine_`. */
export function createEngineMetrics(options: EngineMetricsOptions): EngineMetrics {
  const vllm = createVllmSeries(options.engine, options.modelName)
  const others = new Registry()
  const registers = [others]
  const constant = (name: string, help: string, labels: Readonly<Record<string, string>>): void => {
    new Gauge({name, help, labelNames: Object.keys(labels), registers}).set({...labels}, 1)
  }
  constant('vllm:cache_config_info', 'The KV cache configuration as labels.', {
    ...options.cacheConfig,
    engine: '0',
  })
  constant('kvctl_engine_info', 'What this embedded engine plays, and how it keeps time.', options.info)
  engineSeries(registers, options)
  const exchanges = new Counter({
    name: 'http_requests_total',
    help: 'HTTP requests by handler and class of status.',
    labelNames: ['method', 'status', 'handler'],
    registers,
  })
  processSeries(registers)
  return {
    page: async () => (await vllm.registry.metrics()) + (await others.metrics()),
    contentType: vllm.registry.contentType,
    observer: vllm.observer,
    requested: n => vllm.requested(n),
    exchanged(method, status, handler) {
      exchanges.inc({method, status: `${Math.floor(status / 100)}xx`, handler})
    },
  }
}

/**
 * Every figure of kvcached's observability, which upstream only a Python program can read: `kvcached_pool_` and its key.
 *
 * @see ovg-project/kvcached:kvcached/observability.py
 */
function kvPoolSeries(registers: Registry[], engine: ServedEngine): void {
  const now = (): PoolSnapshot => engine.state().kvPool
  const labelNames = ['pool_name', 'group_id']
  const keys = Object.entries(now()).flatMap(([key, value]) =>
    typeof value === 'string' || key === 'group_id' ? [] : [key],
  )
  for (const key of keys) {
    new Gauge({
      name: `kvcached_pool_${key}`,
      help: `The ${key.replaceAll('_', ' ')} of kvcached's pool snapshot.`,
      labelNames,
      registers,
      collect() {
        const {pool_name: name, group_id: group, ...pool} = now()
        const value = pool[key as keyof typeof pool]
        this.reset()
        // Without a shrink there is no target.
        if (value !== null) this.set({pool_name: name, group_id: String(group)}, Number(value))
      },
    })
  }
}

/** What vLLM does not export: the pool by state, and the real memory under it. */
function engineSeries(registers: Registry[], {engine, requestsInFlight}: EngineMetricsOptions): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    readGauge(registers, name, help, read)
  }
  gauge('kvctl_engine_requests_in_flight', 'HTTP requests being answered.', requestsInFlight)
  new Gauge({
    name: 'kvctl_engine_blocks',
    help: 'KV blocks by state.',
    labelNames: ['state'],
    registers,
    collect() {
      const {usedBlocks, cachedFreeBlocks, emptyBlocks} = engine.state().pool
      this.set({state: 'used'}, usedBlocks)
      this.set({state: 'cached_free'}, cachedFreeBlocks)
      this.set({state: 'empty'}, emptyBlocks)
    },
  })
  readCounter(
    registers,
    'kvctl_engine_evictions_total',
    'Cached blocks that made room for others.',
    () => engine.state().pool.evictions,
  )
  kvPoolSeries(registers, engine)
  gauge('kvctl_engine_block_bytes', 'Real bytes of one KV block.', () => engine.state().memory.bytesPerBlock)
  gauge('kvctl_engine_kv_limit_bytes', 'What the segment allows.', () => engine.state().memory.limitBytes)
  gauge('kvctl_engine_kv_used_bytes', 'Pages in use.', () => engine.state().memory.usedBytes)
  gauge('kvctl_engine_kv_resident_bytes', 'Memory that the system has given.', () => {
    return engine.state().memory.residentBytes
  })
}
