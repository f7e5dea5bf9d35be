import type {GpuLook} from '../gpu/index.js'
import type {EngineExtras, EngineFigures, EngineHistograms} from '../inference/index.js'
import type {TimeSample} from '../runs/index.js'

type EngineSample = NonNullable<TimeSample['engine']>

/** All that an engine counts of itself. */
type EngineCounts = EngineFigures & EngineExtras

/** An engine's figures as `timeseries.jsonl` holds them. */
export function engineJson(
  figures: EngineCounts,
  isAsleep: boolean | null,
  histograms: EngineHistograms | null,
): EngineSample {
  return {
    running: figures.running,
    waiting: figures.waiting,
    kv_cache_usage: figures.kvCacheUsage,
    preemptions_total: figures.preemptions,
    prompt_tokens_total: figures.promptTokens,
    generation_tokens_total: figures.generationTokens,
    prefix_cache_queries_total: figures.prefixCacheQueries,
    prefix_cache_hits_total: figures.prefixCacheHits,
    external_cache_queries_total: figures.externalCacheQueries,
    external_cache_hits_total: figures.externalCacheHits,
    drafts_total: figures.drafts,
    draft_tokens_total: figures.draftTokens,
    accepted_tokens_total: figures.acceptedTokens,
    ...(isAsleep !== null && {is_asleep: isAsleep}),
    ...(histograms && {histograms: histogramsJson(histograms)}),
  }
}

function histogramsJson(histograms: EngineHistograms): EngineSample['histograms'] {
  return Object.fromEntries(
    Object.entries(histograms).map(([name, {bounds, counts, sum}]) => [
      name,
      {bounds: bounds.map(bound => (Number.isFinite(bound) ? bound : null)), counts: [...counts], sum},
    ]),
  )
}

/** Several servers as one: counts and counters added up, the share of the KV cache as their mean. */
export function togetherOf(looks: readonly EngineCounts[]): EngineCounts {
  const names = Object.keys(looks[0]!) as (keyof EngineCounts)[]
  const sum = (name: keyof EngineCounts): number | null =>
    looks.some(look => look[name] === null) ? null : looks.reduce((total, look) => total + look[name]!, 0)
  const sums = Object.fromEntries(names.map(name => [name, sum(name)])) as Record<
    keyof EngineCounts,
    number | null
  >
  const usage = sums.kvCacheUsage
  return {...sums, kvCacheUsage: usage === null ? null : usage / looks.length}
}

/**
 * GPUs as `timeseries.jsonl` holds them.
 *
 * @param pids of the servers, to tell which GPUs are theirs
 */
export function gpuSamples(
  gpus: readonly GpuLook[],
  pids: readonly number[],
): NonNullable<TimeSample['gpus']> {
  const ours = new Set(pids)
  const holds = ({processes}: Pick<GpuLook, 'processes'>): boolean =>
    (processes ?? []).some(({pid}) => ours.has(pid))
  const isServing = (gpu: GpuLook): boolean => holds(gpu) || gpu.migDevices.some(holds)
  // Where no process of theirs is seen on any, pids may mean something else here: then nobody knows.
  const isAnySeen = gpus.some(isServing)
  return gpus.map(gpu => ({
    index: gpu.index,
    name: gpu.name,
    utilization: gpu.utilizationPercent === null ? null : gpu.utilizationPercent / 100,
    memory_used_bytes: gpu.memoryUsedBytes ?? gpu.memoryUsedWithReservedBytes,
    memory_total_bytes: gpu.memoryTotalBytes,
    power_watts: gpu.powerWatts,
    temperature_celsius: gpu.temperatureCelsius,
    energy_joules: gpu.energyJoules,
    energy_source: gpu.energySource,
    serves: isAnySeen ? isServing(gpu) : null,
    ...(gpu.migDevices.length > 0 && {
      mig_devices: gpu.migDevices.map(part => ({
        index: part.index,
        name: part.name,
        serves: isAnySeen ? holds(part) : null,
      })),
    }),
  }))
}
