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

/** Counters that few engines have, each null for those that do not: of a cache outside the engine, and of speculative decoding. */
export interface EngineExtras {
  /** Tokens looked up in, and found in, a cache such as LMCache's. */
  readonly externalCacheQueries: number | null
  readonly externalCacheHits: number | null
  readonly drafts: number | null
  readonly draftTokens: number | null
  readonly acceptedTokens: number | null
}

type SeriesNames<Figures> = Readonly<Record<keyof Figures, readonly string[]>>

/**
 * Series names by figure, newest first; the first one present counts.
 *
 * @see vllm-project/vllm:vllm/v1/metrics/loggers.py
 * @see sgl-project/sglang:python/sglang/srt/metrics/collector.py
 */
const SERIES: SeriesNames<EngineFigures> = {
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
/** @see vllm-project/vllm:vllm/v1/spec_decode/metrics.py — a draft is one guess of several tokens */
const EXTRAS: SeriesNames<EngineExtras> = {
  externalCacheQueries: ['vllm:external_prefix_cache_queries_total'],
  externalCacheHits: ['vllm:external_prefix_cache_hits_total'],
  drafts: ['vllm:spec_decode_num_drafts_total'],
  draftTokens: ['vllm:spec_decode_num_draft_tokens_total'],
  acceptedTokens: ['vllm:spec_decode_num_accepted_tokens_total'],
}
/** A share is averaged over the engines behind one page; everything else adds up. */
const AVERAGED: ReadonlySet<string> = new Set(['kvCacheUsage'])

/** @returns null when the page has none of the known series */
export function engineFiguresOf(metricsText: string): EngineFigures | null {
  const figures = read(metricsText, SERIES)
  return Object.values(figures).some(value => value !== null) ? figures : null
}

export function engineExtrasOf(metricsText: string): EngineExtras {
  return read(metricsText, EXTRAS)
}

function read<Figures>(
  metricsText: string,
  series: SeriesNames<Figures>,
): Record<keyof Figures, number | null> {
  const keys = Object.keys(series) as (keyof Figures)[]
  const wanted = new Set(keys.flatMap(key => series[key]))
  const values = new Map<string, number[]>()
  for (const {name, value} of parsePrometheusText(metricsText, name => wanted.has(name))) {
    if (Number.isFinite(value)) values.set(name, [...(values.get(name) ?? []), value])
  }
  const figure = (key: keyof Figures): number | null => {
    const found = series[key].map(name => values.get(name)).find(list => list !== undefined)
    if (!found) return null
    const sum = found.reduce((total, value) => total + value, 0)
    return AVERAGED.has(String(key)) ? sum / found.length : sum
  }
  return Object.fromEntries(keys.map(key => [key, figure(key)])) as Record<keyof Figures, number | null>
}
