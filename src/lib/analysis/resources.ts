import {readTimeSeries, type RunDirectory, type TimeSample} from '../runs/index.js'

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
    gpuUtilization.add(averageOf(gpus, gpu => gpu.utilization))
    gpuMemory.add(sumOf(gpus, gpu => gpu.memory_used_bytes))
    gpuPower.add(sumOf(gpus, gpu => gpu.power_watts))
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

type Gpu = NonNullable<TimeSample['gpus']>[number]

function sumOf(gpus: readonly Gpu[] | undefined, value: (gpu: Gpu) => number | null): number | null {
  const known = (gpus ?? []).map(value).filter(part => part !== null)
  return known.length === 0 ? null : known.reduce((sum, part) => sum + part, 0)
}

function averageOf(gpus: readonly Gpu[] | undefined, value: (gpu: Gpu) => number | null): number | null {
  const sum = sumOf(gpus, value)
  return sum === null ? null : sum / gpus!.filter(gpu => value(gpu) !== null).length
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

/** A total that only grows; a server that started again counts from 0 on. */
class Counter {
  #last: number | null = null
  #firstAtMs = 0
  #lastAtMs = 0
  #increase = 0
  #looks = 0

  add(total: number | null, atMs: number): void {
    if (total === null) return
    if (this.#last === null) this.#firstAtMs = atMs
    else this.#increase += total >= this.#last ? total - this.#last : total
    this.#last = total
    this.#lastAtMs = atMs
    this.#looks++
  }

  get increase(): number | null {
    return this.#looks < 2 ? null : this.#increase
  }

  get perSecond(): number | null {
    const ms = this.#lastAtMs - this.#firstAtMs
    return this.#looks < 2 || ms <= 0 ? null : this.#increase / (ms / 1000)
  }
}
