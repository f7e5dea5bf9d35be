/** One measured request as the charts need it; times in milliseconds since the first measured send. */
export interface ReportRequest {
  readonly sentMs: number
  /** Send to first token; null when no token came. */
  readonly ttftMs: number | null
  /** Send to last token; null when no token came. */
  readonly e2eMs: number | null
  /** Send to end of the request, whatever its outcome. */
  readonly latencyMs: number
  readonly outputTokens: number | null
  readonly isSuccess: boolean
}

/**
 * Hands out the gaps between token-bearing chunks, µs, in order, of every request that has some, once; `index` is the place in
 * `requests`, and the gaps are valid only during the call.
 */
export type GapsReader = (visit: (index: number, gapsUs: ArrayLike<number>) => void) => Promise<void>

/** One look at the engine's memory while the run went on. */
export interface MemorySample {
  /** Milliseconds since the first measured send; negative during warm-up. */
  readonly atMs: number
  readonly usedBytes: number | null
  readonly preallocatedBytes: number | null
  readonly limitBytes: number | null
  /** 0–1, the engine's own `kv_cache_usage_perc`. */
  readonly kvCacheUsage: number | null
}

/** How the servers and the GPUs that served stood at one moment; null for what that look was not at. */
export interface ServerSample {
  /** Milliseconds since the first measured send. */
  readonly atMs: number
  readonly running: number | null
  readonly waiting: number | null
  /** 0–1, mean of the GPUs. */
  readonly gpuUtilization: number | null
  /** Of all GPUs together. */
  readonly gpuPowerWatts: number | null
}

/** The upper end is null where it lies beyond the largest sample. */
export type Interval = readonly [low: number, high: number | null]

/** A distribution with its unit, as it stands in `results.json`. */
export interface MetricRow {
  readonly name: string
  readonly unit: string
  readonly count: number
  readonly mean: number | null
  readonly p50: number | null
  readonly p90: number | null
  readonly p95: number | null
  readonly p99: number | null
  readonly max: number | null
  /** 95 % confidence interval of the median and of p95, when they were computed. */
  readonly p50Interval: Interval | null
  readonly p95Interval: Interval | null
}

/** How a part of a run's requests went: of a phase, a stage or a tenant. */
export interface GroupRow {
  readonly kind: 'Phase' | 'Stage' | 'Tenant'
  readonly name: string
  readonly requests: number
  readonly errorRate: number | null
  readonly requestsPerSecond: number | null
  readonly tokensPerSecond: number | null
  readonly ttftP50Ms: number | null
  readonly ttftP95Ms: number | null
  readonly tpotP50Ms: number | null
  readonly e2eP95Ms: number | null
}

export interface FailureRow {
  readonly type: string
  readonly count: number
  /** Of all requests, 0–1. */
  readonly share: number
  /** Milliseconds since the first measured send. */
  readonly firstSeenMs: number | null
  readonly example: string
}

export interface Warning {
  readonly code: string
  readonly message: string
}

/** A summary figure: `value` is text already formatted; null means not measured, for the reason given. */
export interface Figure {
  readonly label: string
  readonly value: string | null
  readonly unit: string
  readonly detail: string
}

/** Everything a report shows, free of files. */
export interface ReportData {
  readonly runId: string
  readonly title: string
  readonly status: string
  readonly startedAt: string | null
  readonly toolVersion: string
  readonly facts: RunFacts
  readonly keyFigures: readonly Figure[]
  readonly otherFigures: readonly Figure[]
  readonly metrics: readonly MetricRow[]
  /** Rates and concurrency of the run, by name. */
  readonly measures: readonly (readonly [string, string])[]
  /** Phases, stages, tenants. */
  readonly groups: readonly GroupRow[]
  readonly failures: readonly FailureRow[]
  readonly warnings: readonly Warning[]
  readonly configuration: readonly (readonly [string, string])[]
  readonly environment: readonly (readonly [string, string])[]
  readonly rawKeys: readonly (readonly [string, string])[]
  readonly requests: readonly ReportRequest[]
  readonly forEachGaps: GapsReader
  readonly memory: readonly MemorySample[]
  readonly server: readonly ServerSample[]
  /** What the server counted of itself, by name. */
  readonly serverFigures: readonly (readonly [string, string])[]
}

/** The few numbers the opening sentence is made of. */
export interface RunFacts {
  readonly totalRequests: number
  readonly successfulRequests: number
  readonly warmupRequests: number
  readonly durationMs: number | null
  readonly concurrency: number | null
  readonly throughputRps: number | null
  readonly outputTokensPerSecond: number | null
}
