import {parsePrometheusText} from './prometheus-text.js'

/** What an engine says of itself on its metrics page; null for what it does not say. Counters are totals since its start. */
export interface EngineFigures {
  readonly running: number | null
  readonly waiting: number | null
  /** 0–1 */
  readonly kvCacheUsage: number | null
  readonly preemptions: number | null
  readonly promptTokens: number | null
  readonly generationTokens: number | null
  readonly prefixCacheQueries: number | null
  readonly prefixCacheHits: number | null
  /** Requests whose first token came, and the seconds that all of them waited for it. */
  readonly firstTokens: number | null
  readonly firstTokenSeconds: number | null
}

/**
 * Series names by figure, newest first; the first one present counts.
 *
 * @see vllm-project/vllm:vllm/v1/metrics/loggers.py
 * @see sgl-project/sglang:python/sglang/srt/metrics/collector.py
 */
const SERIES: Readonly<Record<keyof EngineFigures, readonly string[]>> = {
  running: ['vllm:num_requests_running', 'sglang:num_running_reqs'],
  waiting: ['vllm:num_requests_waiting', 'sglang:num_queue_reqs'],
  kvCacheUsage: ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc', 'sglang:token_usage'],
  preemptions: ['vllm:num_preemptions_total'],
  promptTokens: ['vllm:prompt_tokens_total', 'sglang:prompt_tokens_total'],
  generationTokens: ['vllm:generation_tokens_total', 'sglang:generation_tokens_total'],
  prefixCacheQueries: ['vllm:prefix_cache_queries_total', 'vllm:gpu_prefix_cache_queries_total'],
  prefixCacheHits: ['vllm:prefix_cache_hits_total', 'vllm:gpu_prefix_cache_hits_total'],
  firstTokens: ['vllm:time_to_first_token_seconds_count', 'sglang:time_to_first_token_seconds_count'],
  firstTokenSeconds: ['vllm:time_to_first_token_seconds_sum', 'sglang:time_to_first_token_seconds_sum'],
}
const NAMES: ReadonlySet<string> = new Set(Object.values(SERIES).flat())
/** A share is averaged over the engines behind one page; everything else adds up. */
const AVERAGED: ReadonlySet<string> = new Set(['kvCacheUsage'])

/** @returns null when the page has none of the known series */
export function engineFiguresOf(metricsText: string): EngineFigures | null {
  const values = new Map<string, number[]>()
  for (const {name, value} of parsePrometheusText(metricsText, name => NAMES.has(name))) {
    if (Number.isFinite(value)) values.set(name, [...(values.get(name) ?? []), value])
  }
  const figure = (key: keyof EngineFigures): number | null => {
    const found = SERIES[key].map(name => values.get(name)).find(list => list !== undefined)
    if (!found) return null
    const sum = found.reduce((total, value) => total + value, 0)
    return AVERAGED.has(key) ? sum / found.length : sum
  }
  const figures = {
    running: figure('running'),
    waiting: figure('waiting'),
    kvCacheUsage: figure('kvCacheUsage'),
    preemptions: figure('preemptions'),
    promptTokens: figure('promptTokens'),
    generationTokens: figure('generationTokens'),
    prefixCacheQueries: figure('prefixCacheQueries'),
    prefixCacheHits: figure('prefixCacheHits'),
    firstTokens: figure('firstTokens'),
    firstTokenSeconds: figure('firstTokenSeconds'),
  }
  return Object.values(figures).some(value => value !== null) ? figures : null
}
