import {gpusOfServer, meanOfGpus, readTimeSeries, sumOfGpus, type RunDirectory} from '../runs/index.js'
import {Counter} from './counter.js'

/** Means over the samples of a run; null for what nobody looked at. */
export interface ResourceMeans {
  /** 0–1, mean over the GPUs. */
  readonly gpuUtilization: number | null
  /** Sum over the GPUs. */
  readonly gpuMemoryBytes: number | null
  readonly gpuPowerWatts: number | null
  /** Cores that the engine's process used. */
  readonly cpuCores: number | null
  readonly memoryBytes: number | null
  /** 0–1 */
  readonly kvCacheUsageMean: number | null
  readonly kvCacheUsageMax: number | null
  /** Tokens found in the prefix cache / tokens looked up, during the run. */
  readonly prefixCacheHitRatio: number | null
  readonly preemptions: number | null
}

export async function readResources(run: RunDirectory): Promise<ResourceMeans> {
  const gpuUtilization = new Mean()
  const gpuMemory = new Mean()
  const gpuPower = new Mean()
  const memory = new Mean()
  const kvCacheUsage = new Mean()
  const cpu = new Counter()
  const hits = new Counter()
  const queries = new Counter()
  const preemptions = new Counter()
  for await (const sample of readTimeSeries(run)) {
    const {at_ms: at, engine, process, gpus} = sample
    const serving = gpusOfServer(gpus)
    gpuUtilization.add(meanOfGpus(serving, gpu => gpu.utilization))
    gpuMemory.add(sumOfGpus(serving, gpu => gpu.memory_used_bytes))
    gpuPower.add(sumOfGpus(serving, gpu => gpu.power_watts))
    memory.add(process?.rss_bytes ?? null)
    cpu.add(process?.cpu_seconds ?? null, at)
    kvCacheUsage.add(engine?.kv_cache_usage ?? null)
    hits.add(engine?.prefix_cache_hits_total ?? null, at)
    queries.add(engine?.prefix_cache_queries_total ?? null, at)
    preemptions.add(engine?.preemptions_total ?? null, at)
  }
  const looked = queries.increase
  return {
    gpuUtilization: gpuUtilization.value,
    gpuMemoryBytes: gpuMemory.value,
    gpuPowerWatts: gpuPower.value,
    cpuCores: cpu.perSecond,
    memoryBytes: memory.value,
    kvCacheUsageMean: kvCacheUsage.value,
    kvCacheUsageMax: kvCacheUsage.max,
    prefixCacheHitRatio:
      looked === null || looked === 0 || hits.increase === null ? null : hits.increase / looked,
    preemptions: preemptions.increase,
  }
}

class Mean {
  #sum = 0
  #count = 0
  max: number | null = null

  add(value: number | null): void {
    if (value === null) return
    this.#sum += value
    this.#count++
    this.max = Math.max(this.max ?? -Infinity, value)
  }

  get value(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count
  }
}
