import {join} from 'node:path'
import * as z from 'zod'
import {PERCENTILE_NAMES} from '../metrics/index.js'
import {instrumentSchema, readDocument, RUN_STATUSES} from './meta.js'
import {TOKENS_SOURCES} from './request-record.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'

const figure = z.number().nullable()
/** `$0.0023`; other currencies by their code: `0.0023 EUR`. */
const money = z
  .string()
  .regex(/^(?:\$\d+\.\d+|\d+\.\d+ [A-Z]{3})$/)
  .nullable()

/** 95 % interval of a percentile from order statistics; an upper end of null lies at or beyond the largest sample. */
const intervalSchema = z.tuple([z.number(), figure])

/** One sample a request (or, for `icl` and `itl`, one a gap or a token), all of the measured window. */
export const distributionSchema = z.object({
  unit: z.string(),
  count: z.int().nonnegative(),
  /** Independent samples that `count` is worth; null where samples are not independent by nature (pooled gaps). */
  n_eff: figure,
  mean: figure,
  std: figure,
  min: figure,
  p1: figure,
  p5: figure,
  p10: figure,
  p25: figure,
  p50: figure,
  p75: figure,
  p90: figure,
  p95: figure,
  p99: figure,
  p99_9: figure,
  max: figure,
  /** Null where intervals are not meaningful; a percentile with too few samples below it is missing. */
  ci95: z.partialRecord(z.enum(PERCENTILE_NAMES), intervalSchema).nullable(),
  /** 95 % interval of the mean, from batches of requests that are independent of each other; null where there are too few. */
  mean_ci95: z.tuple([z.number(), z.number()]).nullable().default(null),
  /** Percentiles whose upper bound does not exist at 95 % for so few samples. */
  too_few_for: z.array(z.string()),
})
export type Distribution = z.output<typeof distributionSchema>

/** One figure of the whole run. */
export const measureSchema = z.object({
  unit: z.string(),
  value: figure,
  /** 95 % interval from independent batches; missing where none can be given. */
  ci95: z.tuple([z.number(), z.number()]).optional(),
})
export type Measure = z.output<typeof measureSchema>

const histogramSchema = z.object({
  bins: z.array(z.number()),
  counts: z.array(z.int()),
  bin_edges: z.array(z.number()),
  min: figure,
  max: figure,
  total_samples: z.int(),
})

const warningSchema = z.object({code: z.string(), message: z.string()})
export type RunWarning = z.output<typeof warningSchema>

/** The blocks of the documented benchmark result; strings of money, fractions for GPU use, null where unknown. */
const seedBlocks = {
  metadata: z.object({
    timestamp: z.string().nullable(),
    namespace: z.string().nullable(),
    service: z.string().nullable(),
    profile: z.string().nullable(),
    total_requests: z.int(),
    concurrent_users: z.int().nullable(),
  }),
  performance: z.object({
    p50_latency_ms: figure,
    p95_latency_ms: figure,
    p99_latency_ms: figure,
    avg_ttft_ms: figure,
    throughput_rps: figure,
    success_rate: figure,
    error_rate: figure,
  }),
  cost: z.object({
    cost_per_1k_tokens: money,
    hourly_cost: money,
    breakdown: z.object({gpu: money, cpu: money, memory: money}),
  }),
  energy: z.object({energy_per_1k_tokens_wh: figure, total_energy_wh: figure}),
  resources: z.object({
    /** 0–1 */
    avg_gpu_utilization: figure,
    /** 10⁹ bytes */
    avg_memory_usage_gb: figure,
    /** Cores */
    avg_cpu_usage: figure,
  }),
}

/** The flat keys of upstream's own analyzer, at the top level. Latencies end at the end of the body. */
const flatKeys = {
  p50_ms: figure,
  p95_ms: figure,
  p99_ms: figure,
  ttft_p50_ms: figure,
  ttft_p95_ms: figure,
  time_to_first_token_ms: figure,
  throughput_rps: figure,
  tokens_per_sec: figure,
  error_rate: figure,
  ttfb_p50_ms: figure,
  ttfb_p95_ms: figure,
  ttfb_p99_ms: figure,
  tllt_p50_ms: figure,
  tllt_p95_ms: figure,
  tllt_p99_ms: figure,
  generation_p50_ms: figure,
  generation_p95_ms: figure,
  per_token_p50_ms: figure,
  per_token_p95_ms: figure,
  avg_tokens_per_response: figure,
  ttfb_histogram: histogramSchema,
  tllt_histogram: histogramSchema,
  generation_time_histogram: histogramSchema,
  per_token_time_histogram: histogramSchema,
  /** Epoch seconds; over all requests, failed ones included. */
  window: z.object({start: figure, end: figure, seconds: figure}),
  requests: z.object({total: z.int(), success: z.int()}),
  network_rtt_p50_ms: figure,
  network_rtt_p95_ms: figure,
  s3_avg_MBps: figure,
  cache_hit_ratio: figure,
  cold_start_count: figure,
  cold_count: figure,
  cold_success_count: figure,
  cold_p50_ms: figure,
  cold_p95_ms: figure,
  cold_p99_ms: figure,
  cold_ttft_p50_ms: figure,
  cold_ttft_p95_ms: figure,
  cold_error_rate: figure,
  warm_count: figure,
  warm_success_count: figure,
  warm_p50_ms: figure,
  warm_p95_ms: figure,
  warm_p99_ms: figure,
  warm_ttft_p50_ms: figure,
  warm_ttft_p95_ms: figure,
  warm_error_rate: figure,
  cost_per_request: figure,
  cost_per_1k_tokens: figure,
  cold_cost_per_request: figure,
  warm_cost_per_request: figure,
  cold_cost_per_1k_tokens: figure,
  warm_cost_per_1k_tokens: figure,
  total_cost: figure.default(null),
  cost_breakdown: z
    .object({
      total_cost: figure,
      gpu_seconds: figure,
      cpu_core_seconds: figure,
      mem_gib_seconds: figure,
      gpu_hourly: figure,
      cpu_hourly_per_core: figure,
      mem_hourly_per_gib: figure,
      overhead_fraction: z.number(),
      gpu_product_label: z.string().nullable(),
    })
    .nullable()
    .default(null),
  /** Percent, 0–100 */
  gpu_util_avg: figure,
  /** Bytes */
  gpu_mem_used_avg: figure,
  gpu_power_watts_avg: figure,
  /** Cores */
  cpu_util_avg: figure,
  /** Bytes */
  mem_used_avg: figure,
  energy_wh: figure,
  energy_wh_per_request: figure,
  energy_wh_per_1k_tokens: figure,
}

/** What the requests of one phase, or of one tenant, were like. */
const groupSchema = z.object({
  requests: z.int(),
  successes: z.int(),
  error_rate: figure,
  /** Over the window for the measured phase, else over the group's own span. */
  throughput_rps: figure,
  tokens_per_sec: figure,
  /** Output tokens per second that one request sees, its wait included: mean of n / E2E. */
  e2e_tokens_per_sec: figure,
  ttft: distributionSchema,
  ttft_sched: distributionSchema.optional(),
  tpot: distributionSchema,
  e2e: distributionSchema,
  e2e_sched: distributionSchema.optional(),
})

const trendSchema = z.object({slope: z.number(), ci95: z.tuple([z.number(), z.number()])})

const ownKeys = {
  schema_version: z.literal(1),
  run_id: z.string(),
  status: z.enum(RUN_STATUSES),
  mode: z.enum(['closed', 'open']).nullable(),
  /**
   * The span that throughput and concurrency of `metrics` are taken over, in seconds of run time. A resumed run has one in each
   * part: from the start of the first to the end of the last, of which `seconds` count.
   */
  measure_window: z
    .object({
      start_seconds: z.number(),
      end_seconds: z.number(),
      seconds: z.number(),
      rule: z.enum(['every-slot-busy', 'scheduled-arrivals', 'whole-run']),
    })
    .nullable(),
  prompt_tokens_total: figure,
  completion_tokens_total: figure,
  /** Where output token counts come from: the least trusted source of any request. */
  tokens_source: z.enum(TOKENS_SOURCES),
  /** How many successful requests were counted in each way; only those that occurred. */
  tokens_sources: z.record(z.string(), z.int()).default({}),
  send_lag_p95_ms: figure,
  itl_p50_ms: figure,
  itl_p95_ms: figure,
  itl_p99_ms: figure,
  tpot_p50_ms: figure,
  tpot_p95_ms: figure,
  /** True when tokens of a chunk had to be taken as the request's mean. */
  itl_estimated: z.boolean(),
  metrics: z.record(z.string(), z.union([distributionSchema, measureSchema])),
  cost_per_1k_output_tokens: figure.default(null),
  /** Where energy is from: the GPUs' own counters, or their power added up; null where it is unknown. */
  energy_source: z.enum(['counter', 'integrated_power']).nullable().default(null),
  /** Share of the run that samples tell about, 0–1. */
  energy_coverage: figure.default(null),
  /** ISO 4217, of every figure of cost; null without prices. */
  cost_currency: z.string().nullable().default(null),
  /** How many requests ended in each way; only those that occurred. */
  outcomes: z.record(z.string(), z.int()),
  finish_reasons: z.record(z.string(), z.int()),
  /** Per slice of time since the run's origin, for charts; the arrays have one length. */
  timeline: z.object({
    slice_seconds: z.number(),
    start_seconds: z.array(z.number()),
    requests_completed: z.array(z.int()),
    requests_failed: z.array(z.int()),
    tokens: z.array(z.number()),
    in_flight_mean: z.array(z.number()),
    ttft_p50_ms: z.array(figure),
    ttft_p95_ms: z.array(figure),
    latency_p95_ms: z.array(figure),
    icl_p50_ms: z.array(figure),
    icl_p95_ms: z.array(figure),
    /** What the server showed meanwhile: means of each slice, preemptions counted; empty where nobody looked. */
    server_running: z.array(figure).default([]),
    server_waiting: z.array(figure).default([]),
    kv_cache_usage: z.array(figure).default([]),
    preemptions: z.array(figure).default([]),
    prefix_cache_hit_ratio: z.array(figure).default([]),
    segment_used_bytes: z.array(figure).default([]),
    gpu_utilization: z.array(figure).default([]),
    gpu_power_watts: z.array(figure).default([]),
  }),
  /** What the server counted of itself from the first look to the last; null when it showed no metrics. */
  server: z
    .object({
      prompt_tokens: figure,
      generation_tokens: figure,
      preemptions: figure,
      /** Tokens found / tokens looked up. */
      prefix_cache_hit_ratio: figure,
      external_cache_hit_ratio: figure,
      /** Accepted / drafted tokens, and tokens of a step: 1 + accepted / drafts. */
      draft_acceptance_rate: figure,
      draft_acceptance_length: figure,
      /** Of speculative decoding; null where the server has none. */
      drafts: figure.default(null),
      draft_tokens: figure.default(null),
      accepted_draft_tokens: figure.default(null),
      /** Its own histograms over the measure window; a percentile is known to `within` the width of its bucket, ms. */
      distributions: z.record(
        z.string(),
        z.object({
          unit: z.string(),
          count: z.number(),
          mean: figure,
          p50: figure,
          p95: figure,
          p99: figure,
          within: z.object({p50: figure, p95: figure, p99: figure}),
        }),
      ),
      /** Spearman's rank correlation of p95 of TTFT, slice by slice, with what the server showed. */
      ttft_correlation: z.record(z.string(), z.number()),
      /** Where the time before the first token went, where a rule confirms it. */
      cause: z.object({code: z.enum(['queueing', 'kv_capacity', 'prefill']), message: z.string()}).nullable(),
    })
    .nullable()
    .default(null),
  /** What a Prometheus had scraped of the server over the run; null where none was asked. */
  prometheus: z
    .object({
      url: z.string(),
      /** Mean, 0–1 */
      kv_cache_usage: figure,
      /** Means, all pods together. */
      requests_running: figure,
      requests_waiting: figure,
      /** Growth of vLLM's own counters over the run. */
      preemptions: figure,
      prompt_tokens: figure,
      generation_tokens: figure,
      successes: figure,
      prefix_cache_hit_ratio: figure,
      /** Of vLLM's own histograms: as exact as their buckets. */
      latencies_ms: z.record(z.string(), z.object({mean: figure, p50: figure, p95: figure, p99: figure})),
      /** The expressions that gave the figures, and figures that none had data for. */
      queries: z.record(z.string(), z.string()),
      missing: z.array(z.string()),
    })
    .nullable()
    .default(null),
  /** `warmup`; `ramp`, sent before the measure window; `measure`, sent within it; `drain`, after it. Only those that occurred. */
  phases: z.record(z.string(), groupSchema).default({}),
  /** By name, where requests have tenants. */
  tenants: z.record(z.string(), groupSchema).default({}),
  /** How evenly tenants were served; null with fewer than two. */
  fairness: z
    .object({
      /** Jain's index of output tokens per second, and of what one request sees: 1 is even. */
      jain_tokens: figure,
      jain_speed: figure,
      /** Largest less smallest share of the successful requests. */
      throughput_share_diff: z.number(),
      /** The worst tenant's p95 of E2E, and how many times that of the best it is. */
      tenant_p95_ms: figure,
      p95_ratio: figure,
    })
    .nullable()
    .default(null),
  /** In their order, what each was to send beside what it did; empty for a load without stages. */
  stages: z
    .array(
      groupSchema.extend({
        /** One of the two is null. */
        rate_per_second: figure,
        concurrency: z.int().nullable(),
        seconds: z.number(),
      }),
    )
    .default([]),
  /** When the server could not begin an answer, as its own metrics or its pods show it, seconds of run time; null when nobody looked. */
  cold_spans: z
    .array(
      z.object({
        start_seconds: z.number(),
        end_seconds: z.number(),
        kind: z.enum(['restart', 'wake', 'pod']),
      }),
    )
    .nullable()
    .default(null),
  /** The rules of the profile's `validation` block; null when it has none. A figure that the run lacks fails. */
  validation: z
    .object({
      passed: z.boolean(),
      rules: z.array(
        z.object({
          rule: z.string(),
          /** The flat key that was judged; null for a rule that is not known. */
          metric: z.string().nullable(),
          value: figure,
          limit: z.number(),
          passed: z.boolean(),
        }),
      ),
    })
    .nullable()
    .default(null),
  /**
   * Growth of the medians of TTFT, of requests in flight and of completions over the window, as shares of their means, each with
   * its 95 % interval; null when the window is too short to tell.
   */
  stability: z
    .object({ttft: trendSchema, concurrency: trendSchema, throughput: trendSchema, is_unstable: z.boolean()})
    .nullable()
    .default(null),
  instrument: instrumentSchema.nullable(),
  client_limited: z.boolean(),
  /** Why a part is null, by its path. */
  unavailable: z.record(z.string(), z.string()),
  warnings: z.array(warningSchema),
}

/** `results.json`: the documented blocks, upstream's flat keys and our own figures in one object. */
export const resultsSchema = z.looseObject({...ownKeys, ...seedBlocks, ...flatKeys})
/** What `results.json` holds. */
export type RunResults = z.output<typeof resultsSchema>

/** `analysis.json`: the documented analysis output. */
export const analysisSchema = z.object({
  summary: z.object({
    total_requests: z.int(),
    successful_requests: z.int(),
    failed_requests: z.int(),
    success_rate: figure,
  }),
  latency: z.object({
    percentiles: z.object({p50: figure, p90: figure, p95: figure, p99: figure}),
    /** `bins` are lower edges, the last one open above. */
    histogram: z.object({bins: z.array(z.number()), counts: z.array(z.int())}),
  }),
  throughput: z.object({requests_per_second: figure, tokens_per_second: figure}),
  errors: z.array(z.object({timestamp: z.string().nullable(), error: z.string(), details: z.string()})),
})
export type RunAnalysis = z.output<typeof analysisSchema>

/** @throws ResourceError `RUN_INCOMPLETE`; ConfigurationError `RUN_UNREADABLE` */
export async function readResults(run: RunDirectory): Promise<RunResults> {
  return readDocument(join(run.path, RUN_FILES.results), resultsSchema)
}

/** @throws ResourceError `RUN_INCOMPLETE`; ConfigurationError `RUN_UNREADABLE` */
export async function readAnalysis(run: RunDirectory): Promise<RunAnalysis> {
  return readDocument(join(run.path, RUN_FILES.analysis), analysisSchema)
}
