/** Whose series are asked for; null asks for those of everything that is scraped. */
export interface ServiceLabels {
  readonly namespace: string
  readonly service: string
}

/** A figure, and the metrics that may hold it; the first that has data counts. */
export interface Wanted {
  readonly metrics: readonly {
    readonly name: string
    /** Factor to our unit. */
    readonly scale: number
  }[]
  /** Further label matchers. */
  readonly where?: string
}

const plain = (...names: string[]): Wanted['metrics'] => names.map(name => ({name, scale: 1}))
const CONTAINERS = 'container!="",container!="POD"'

/**
 * Series of a run by our names and in our units. Those of GPUs are of dcgm-exporter and its predecessors, of containers
 * cAdvisor's, the others vLLM's; older names stand after newer ones.
 *
 * @see NVIDIA/dcgm-exporter:etc/default-counters.csv
 * @see vllm-project/vllm:vllm/v1/metrics/loggers.py
 */
export const WANTED = {
  /** Percent */
  gpu_utilization: {
    metrics: [
      ...plain('DCGM_FI_DEV_GPU_UTIL', 'nvidia_dcgm_gpu_utilization', 'nvidia_gpu_utilization'),
      {name: 'DCGM_FI_PROF_GR_ENGINE_ACTIVE', scale: 100},
    ],
  },
  /** dcgm-exporter counts MiB. */
  gpu_memory_bytes: {
    metrics: [{name: 'DCGM_FI_DEV_FB_USED', scale: 2 ** 20}, ...plain('nvidia_dcgm_fb_used_bytes')],
  },
  gpu_power_watts: {
    metrics: plain('DCGM_FI_DEV_POWER_USAGE', 'nvidia_dcgm_power_usage_watts', 'nvidia_gpu_power_watts'),
  },
  /** dcgm-exporter counts mJ. */
  gpu_energy_joules: {metrics: [{name: 'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION', scale: 1e-3}]},
  cpu_seconds: {metrics: plain('container_cpu_usage_seconds_total'), where: CONTAINERS},
  memory_bytes: {metrics: plain('container_memory_working_set_bytes'), where: CONTAINERS},
  /** 0–1 */
  kv_cache_usage: {metrics: plain('vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc')},
  running: {metrics: plain('vllm:num_requests_running')},
  waiting: {metrics: plain('vllm:num_requests_waiting')},
  preemptions: {metrics: plain('vllm:num_preemptions_total')},
  prompt_tokens: {metrics: plain('vllm:prompt_tokens_total')},
  generation_tokens: {metrics: plain('vllm:generation_tokens_total')},
  successes: {metrics: plain('vllm:request_success_total')},
  prefix_cache_queries: {
    metrics: plain('vllm:prefix_cache_queries_total', 'vllm:gpu_prefix_cache_queries_total'),
  },
  prefix_cache_hits: {metrics: plain('vllm:prefix_cache_hits_total', 'vllm:gpu_prefix_cache_hits_total')},
} as const satisfies Record<string, Wanted>

/** vLLM's own histograms of seconds, by our names. */
export const WANTED_HISTOGRAMS = {
  ttft: ['vllm:time_to_first_token_seconds'],
  itl: ['vllm:inter_token_latency_seconds', 'vllm:time_per_output_token_seconds'],
  e2e: ['vllm:e2e_request_latency_seconds'],
  queue: ['vllm:request_queue_time_seconds'],
  prefill: ['vllm:request_prefill_time_seconds'],
  decode: ['vllm:request_decode_time_seconds'],
} as const satisfies Record<string, readonly string[]>

/**
 * How scraped series name the pods of a service: dcgm-exporter and cAdvisor as `namespace` and `pod`, which Prometheus renames
 * with `exported_` where it has labels of its own by that name (dcgm-exporter's ServiceMonitor); vLLM's may have no pod, but
 * the name of the served model, which is the service's.
 *
 * @param metric that is asked for
 * @see NVIDIA/dcgm-exporter:deployment/values.yaml — honorLabels
 */
export function labelSets(of: ServiceLabels | null, metric: string): string[] {
  if (of === null) return ['']
  const [namespace, pods] = [quoted(of.namespace), quoted(`${escaped(of.service)}-(?:predictor|kserve)-.*`)]
  const sets = [
    `namespace=${namespace},pod=~${pods}`,
    `exported_namespace=${namespace},exported_pod=~${pods}`,
  ]
  return metric.startsWith('vllm:') ? [...sets, `model_name=${quoted(of.service)}`] : sets
}

/** Up to here samples are taken as they were scraped; a longer time is thinned to so many. */
const MOST_RAW_SECONDS = 3 * 3600
const THINNED_TO = 720

/** All samples of a metric over so many seconds before the instant of the question. */
export function rangeSelector(metric: string, labels: readonly string[], seconds: number): string {
  const step = seconds > MOST_RAW_SECONDS ? `:${Math.ceil(seconds / THINNED_TO)}s` : ''
  return `${selector(metric, labels)}[${Math.ceil(seconds)}s${step}]`
}

/** By how much a histogram grew over so many seconds, all pods together. */
export function histogramGrowth(metric: string, labels: readonly string[], seconds: number): string {
  return `sum by (le) (increase(${selector(`${metric}_bucket`, labels)}[${Math.ceil(seconds)}s]))`
}

export function sumGrowth(metric: string, labels: readonly string[], seconds: number): string {
  return `sum(increase(${selector(`${metric}_sum`, labels)}[${Math.ceil(seconds)}s]))`
}

function selector(metric: string, labels: readonly string[]): string {
  const matchers = labels.filter(text => text !== '').join(',')
  return matchers === '' ? metric : `${metric}{${matchers}}`
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}
