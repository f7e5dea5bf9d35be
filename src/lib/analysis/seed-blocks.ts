import type {RunMeta, RunResults} from '../runs/index.js'
import type {flatKeys} from './flat-keys.js'
import type {MeasuredRequests} from './measured-requests.js'
import type {ResourceMeans} from './resources.js'
import {ratio, rounded} from './rounding.js'

type SeedBlocks = Pick<RunResults, 'metadata' | 'performance' | 'cost' | 'resources'>

/** The blocks of the documented benchmark result. */
export function seedBlocks(
  meta: RunMeta,
  measured: MeasuredRequests,
  flat: ReturnType<typeof flatKeys>,
  resources: ResourceMeans,
  cost: RunResults['cost'],
): SeedBlocks {
  return {
    metadata: {
      timestamp: startedAt(meta, measured),
      namespace: meta.namespace,
      service: meta.service,
      profile: meta.profile?.metadata?.name ?? null,
      total_requests: measured.total,
      concurrent_users: meta.concurrency,
    },
    performance: {
      p50_latency_ms: flat.p50_ms,
      p95_latency_ms: flat.p95_ms,
      p99_latency_ms: flat.p99_ms,
      avg_ttft_ms: flat.time_to_first_token_ms,
      throughput_rps: flat.throughput_rps,
      success_rate: rounded(ratio(measured.successes, measured.total)),
      error_rate: flat.error_rate,
    },
    cost,
    resources: {
      avg_gpu_utilization: rounded(resources.gpuUtilization),
      avg_memory_usage_gb: rounded(ratio(resources.gpuMemoryBytes ?? resources.memoryBytes, 1e9)),
      avg_cpu_usage: rounded(resources.cpuCores),
    },
  }
}

/** ISO 8601 in UTC, whole seconds. */
function startedAt(meta: RunMeta, {table}: MeasuredRequests): string | null {
  const text =
    meta.started_at ?? (table.originEpochMs === 0 ? null : new Date(table.originEpochMs).toISOString())
  return text === null ? null : `${new Date(text).toISOString().slice(0, 19)}Z`
}
