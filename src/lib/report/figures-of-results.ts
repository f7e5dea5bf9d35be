import type {Distribution, RunResults} from '../runs/index.js'
import {formatCount, formatMs, formatMsRange, formatNumber, formatPercent} from './format.js'
import type {Figure, MetricRow} from './report-data.js'

/** The figures a reader looks for first: the documented performance block and the output rate. */
export function keyFigures(results: RunResults): readonly Figure[] {
  const {performance, requests} = results
  const latency = distribution(results, 'latency')
  const ttft = distribution(results, 'ttft')
  const failed = requests.total - requests.success
  return [
    duration('Latency p50', performance.p50_latency_ms, `of ${formatCount(requests.success)} successes`),
    duration('Latency p95', performance.p95_latency_ms, interval(latency, 'p95')),
    duration('Latency p99', performance.p99_latency_ms, interval(latency, 'p99')),
    duration(
      'Mean TTFT',
      performance.avg_ttft_ms,
      ttft?.p95 == null ? 'no answer was streamed' : `p95 ${formatMs(ttft.p95)}`,
    ),
    number('Throughput', performance.throughput_rps, 'requests/s', 'successful ones'),
    number('Output', results.tokens_per_sec, 'tokens/s', tokensDetail(results)),
    ratio(
      'Success rate',
      performance.success_rate,
      `${formatCount(requests.success)} of ${formatCount(requests.total)}`,
    ),
    ratio('Error rate', performance.error_rate, failed === 1 ? '1 failed' : `${formatCount(failed)} failed`),
  ]
}

/** Money, energy and what the machine did; where something was not measured, why. */
export function otherFigures(results: RunResults): readonly Figure[] {
  const {cost, energy, resources} = results
  const why = (path: string): string =>
    results.unavailable[path] ?? results.unavailable[path.split('.')[0]!] ?? 'not looked at in this run'
  const text = (label: string, path: string, value: string | null): Figure => ({
    label,
    value,
    unit: '',
    detail: value === null ? why(path) : '',
  })
  const measured = (label: string, path: string, value: number | null, unit: string): Figure =>
    number(label, value, unit, value === null ? why(path) : '')
  return [
    text('Cost per 1,000 tokens', 'cost.cost_per_1k_tokens', cost.cost_per_1k_tokens),
    text('Cost per hour', 'cost.hourly_cost', cost.hourly_cost),
    measured(
      'Energy per 1,000 tokens',
      'energy.energy_per_1k_tokens_wh',
      energy.energy_per_1k_tokens_wh,
      'Wh',
    ),
    measured('Energy of the run', 'energy.total_energy_wh', energy.total_energy_wh, 'Wh'),
    resources.avg_gpu_utilization === null
      ? text('GPU utilisation', 'resources.avg_gpu_utilization', null)
      : ratio('GPU utilisation', resources.avg_gpu_utilization, 'mean over the run'),
    measured('Memory', 'resources.avg_memory_usage_gb', resources.avg_memory_usage_gb, 'GB'),
    measured('CPU', 'resources.avg_cpu_usage', resources.avg_cpu_usage, 'cores'),
    results.cache_hit_ratio === null
      ? text('Prefix-cache hits', 'cache_hit_ratio', null)
      : ratio('Prefix-cache hits', results.cache_hit_ratio, 'of prompt tokens looked up'),
  ]
}

const METRIC_LABELS: Readonly<Record<string, string>> = {
  ttft: 'TTFT',
  ttft_sched: 'TTFT (scheduled)',
  ttfo: 'First answer token',
  ttfb: 'First body byte',
  e2e: 'E2E',
  e2e_sched: 'E2E (scheduled)',
  latency: 'Latency',
  tpot: 'TPOT',
  itl: 'ITL',
  icl: 'ICL',
  max_gap: 'Largest gap of an answer',
  decode_speed: 'Decode speed',
  e2e_speed: 'E2E speed',
  norm_latency: 'Latency per output token',
  queue_client: 'Lateness of sending',
  input_tokens: 'Prompt tokens',
  output_tokens: 'Output tokens',
}

/** Every distribution of the results that has samples, in their order. */
export function metricRows(results: RunResults): readonly MetricRow[] {
  return Object.entries(results.metrics).flatMap(([name, metric]): MetricRow[] => {
    if (!('count' in metric) || metric.count === 0) return []
    const {unit, count, mean, p50, p90, p95, p99, max, ci95} = metric
    const label = METRIC_LABELS[name] ?? name
    return [
      {
        name: label,
        unit,
        count,
        mean,
        p50,
        p90,
        p95,
        p99,
        max,
        p50Interval: ci95?.p50 ?? null,
        p95Interval: ci95?.p95 ?? null,
      },
    ]
  })
}

const MEASURE_LABELS: Readonly<Record<string, string>> = {
  request_throughput: 'Requests per second, measured window',
  run_request_throughput: 'Requests per second, whole run with its drain',
  output_throughput: 'Output tokens per second, measured window',
  run_output_throughput: 'Output tokens per second, whole run with its drain',
  peak_output_tps: 'Most output tokens in one second',
  input_throughput: 'Prompt tokens per second',
  total_token_throughput: 'Prompt and output tokens per second',
  offered_rate: 'Requests due per second',
  sent_rate: 'Requests sent per second',
  concurrency_mean: 'Requests in flight, mean',
  concurrency_p95: 'Requests in flight, p95',
  concurrency_max: 'Requests in flight, most',
  little_check: 'Little’s law: rate × latency ÷ in flight (1 when steady)',
  kv_cache_usage_mean: 'KV-cache usage, mean',
  kv_cache_usage_max: 'KV-cache usage, most',
  preemptions: 'Preemptions',
}

/** The figures of the whole run that are known, by name. */
export function measureRows(results: RunResults): readonly (readonly [string, string])[] {
  return Object.entries(MEASURE_LABELS).flatMap(([name, label]) => {
    const metric = results.metrics[name]
    if (metric === undefined || 'count' in metric || metric.value === null) return []
    const isShare = name.startsWith('kv_cache_usage')
    return [[label, isShare ? formatPercent(metric.value) : formatNumber(metric.value)] as const]
  })
}

/** Every scalar of the results by its path, in their order; long arrays by their length. */
export function rawKeys(results: RunResults): readonly (readonly [string, string])[] {
  const rows: [string, string][] = []
  const walk = (path: string, value: unknown): void => {
    if (Array.isArray(value)) {
      const isShort = value.length <= 8 && JSON.stringify(value).length <= 200
      rows.push([
        path,
        isShort ? JSON.stringify(value) : `${formatCount(value.length)} values in results.json`,
      ])
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, entry] of Object.entries(value)) walk(path === '' ? key : `${path}.${key}`, entry)
    } else {
      rows.push([path, String(value)])
    }
  }
  walk('', results)
  return rows
}

/** A distribution of the results; null when there is none of that name. */
export function distribution(results: RunResults, name: string): Distribution | null {
  const metric = results.metrics[name]
  return metric !== undefined && 'count' in metric ? metric : null
}

function duration(label: string, ms: number | null, detail: string): Figure {
  if (ms === null) return {label, value: null, unit: '', detail: detail}
  const [value, ...unit] = formatMs(ms).split('\u00a0')
  return {label, value: value!, unit: unit.join('\u00a0'), detail}
}

function number(label: string, value: number | null, unit: string, detail: string): Figure {
  return {label, value: value === null ? null : formatNumber(value), unit, detail}
}

function ratio(label: string, value: number | null, detail: string): Figure {
  const [text] = formatPercent(value).split('\u00a0')
  return {label, value: value === null ? null : text!, unit: '%', detail}
}

function interval(metric: Distribution | null, name: 'p50' | 'p95' | 'p99'): string {
  const bounds = metric?.ci95?.[name]
  if (bounds === undefined) return 'too few samples for an interval'
  const [low, high] = bounds
  return `95 % CI ${high === null ? `≥ ${formatMs(low)}` : formatMsRange(low, high)}`
}

function tokensDetail(results: RunResults): string {
  switch (results.tokens_source) {
    case 'usage':
      return 'counted by the server'
    case 'token_ids':
      return 'counted by their ids'
    case 'tokenizer':
      return 'counted by a tokenizer beside the client'
    case 'chunks':
      return 'counted as chunks'
    case 'none':
      return 'not counted by the server'
  }
}
