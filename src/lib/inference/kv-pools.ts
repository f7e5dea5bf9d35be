import {parsePrometheusText, type MetricSample} from './prometheus-text.js'

/** The KV cache of one engine core, as its server's metrics page shows it; data-parallel servers show several. */
export interface KvPool {
  /** vLLM's label `engine`, SGLang's `dp_rank`; `0` where there is one. */
  readonly core: string
  /** Null where the engine does not say, as vLLM 0.8 with `num_gpu_blocks="None"`. */
  readonly totalBlocks: number | null
  readonly blockTokens: number | null
  /** Share of the blocks that requests hold, 0–1. */
  readonly usage: number | null
  /** Unreferenced with their content kept for later requests; null where the engine does not tell (vLLM). */
  readonly cachedFreeBlocks: number | null
  /** Real bytes of one block on all ranks; told by `kvctl engine` alone. */
  readonly blockBytes: number | null
  /** As the engine calls it, such as `auto` or `fp8`. */
  readonly cacheDtype: string | null
}

/** What a metrics page says about KV caches, and whose page it is. */
export interface KvPage {
  readonly kind: 'vllm' | 'sglang' | 'kvctl'
  readonly model: string | null
  /** Null where the engine does not say, as SGLang. */
  readonly isAsleep: boolean | null
  readonly pools: readonly KvPool[]
}

/** 1 on one of its states. @see vllm-project/vllm:vllm/v1/metrics/loggers.py */
const SLEEP_STATE = 'vllm:engine_sleep_state'
const VLLM_USAGE = ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc']
const NAMES = new Set([
  ...VLLM_USAGE,
  SLEEP_STATE,
  'vllm:cache_config_info',
  'kvctl_engine_blocks',
  'kvctl_engine_block_bytes',
  'sglang:cache_config_info',
  'sglang:max_total_num_tokens',
  'sglang:num_used_tokens',
  'sglang:token_usage',
  'sglang:kv_evictable_tokens',
])

/**
 * Reads the blocks and use of each engine core behind a page; other series are passed over unread, because label sets can
 * be huge (vllm-project/vllm#44691).
 *
 * @returns null when it is no page of an engine
 * @see vllm-project/vllm:vllm/v1/metrics/loggers.py — `cache_config_info` carries everything in labels
 * @see sgl-project/sglang:python/sglang/srt/observability/metrics_collector.py
 */
export function kvPageOf(metricsText: string): KvPage | null {
  const samples = parsePrometheusText(metricsText, name => NAMES.has(name))
  const model = samples.map(({labels}) => labels['model_name']).find(name => name !== undefined) ?? null
  const vllm = vllmPools(samples)
  if (vllm.length > 0) {
    const isOurs = samples.some(({name}) => name.startsWith('kvctl_engine_'))
    return {kind: isOurs ? 'kvctl' : 'vllm', model, isAsleep: isAsleep(samples), pools: vllm}
  }
  const sglang = sglangPools(samples)
  return sglang.length > 0 ? {kind: 'sglang', model, isAsleep: null, pools: sglang} : null
}

/** Asleep are engines none of which is awake. */
function isAsleep(samples: readonly MetricSample[]): boolean | null {
  const awake = samples.filter(({name, labels}) => name === SLEEP_STATE && labels['sleep_state'] === 'awake')
  return awake.length === 0 ? null : awake.every(({value}) => value === 0)
}

/** How many blocks requests hold: the nearest whole number, never more than there are; null when unknown. */
export function usedBlocks({totalBlocks, usage}: Pick<KvPool, 'totalBlocks' | 'usage'>): number | null {
  if (totalBlocks === null || usage === null) return null
  return Math.min(totalBlocks, Math.floor(totalBlocks * usage + 0.5))
}

function vllmPools(samples: readonly MetricSample[]): KvPool[] {
  const coreOf = ({labels}: MetricSample): string => labels['engine'] ?? '0'
  const mine = samples.filter(({name}) => name.startsWith('vllm:'))
  const usageName = VLLM_USAGE.find(usage => mine.some(({name}) => name === usage))
  return distinct(mine.map(coreOf)).map(core => {
    const of = (name: string | undefined): MetricSample | undefined =>
      mine.findLast(sample => sample.name === name && coreOf(sample) === core)
    const labels = of('vllm:cache_config_info')?.labels ?? {}
    return {
      core,
      totalBlocks: wholeNumber(labels['num_gpu_blocks']),
      blockTokens: wholeNumber(labels['block_size']),
      usage: share(of(usageName)?.value),
      cachedFreeBlocks: valueOf(samples, 'kvctl_engine_blocks', 'cached_free'),
      blockBytes: valueOf(samples, 'kvctl_engine_block_bytes'),
      cacheDtype: labels['cache_dtype'] ?? null,
    }
  })
}

/** SGLang counts tokens; its pages hold one token unless told otherwise. Ranks of one group repeat the same figures. */
function sglangPools(samples: readonly MetricSample[]): KvPool[] {
  const coreOf = ({labels}: MetricSample): string => labels['dp_rank'] ?? '0'
  const mine = samples.filter(({name}) => name.startsWith('sglang:'))
  return distinct(mine.map(coreOf)).map(core => {
    const of = (name: string): MetricSample | undefined =>
      mine.find(sample => sample.name === `sglang:${name}` && coreOf(sample) === core)
    const config = of('cache_config_info')?.labels ?? {}
    const blockTokens = wholeNumber(config['page_size']) ?? 1
    const inBlocks = (tokens: number | undefined): number | null =>
      tokens === undefined ? null : Math.floor(tokens / blockTokens)
    const tokens = of('max_total_num_tokens')?.value
    const used = of('num_used_tokens')?.value
    const computed = tokens !== undefined && tokens > 0 && used !== undefined ? used / tokens : undefined
    return {
      core,
      totalBlocks: wholeNumber(config['num_pages']) ?? inBlocks(tokens),
      blockTokens,
      usage: share(of('token_usage')?.value ?? computed),
      cachedFreeBlocks: inBlocks(of('kv_evictable_tokens')?.value),
      blockBytes: null,
      cacheDtype: null,
    }
  })
}

function valueOf(samples: readonly MetricSample[], name: string, state?: string): number | null {
  const found = samples.find(
    sample => sample.name === name && (state === undefined || sample.labels['state'] === state),
  )
  return found?.value ?? null
}

function share(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : Math.min(1, Math.max(0, value))
}

/** Labels are texts, in Python's spelling: `None` where there is no number. */
function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)]
}
