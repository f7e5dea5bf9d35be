import type {BenchAsk, BenchParts, BenchWatcher} from '../bench/index.js'
import type {RunDirectory} from '../runs/index.js'

export interface CacheProbeOptions {
  /** None starts an embedded engine for each half. */
  readonly urls: readonly string[]
  readonly model: string | null
  readonly apiKey: string | null
  readonly isInsecure: boolean
  readonly requests: number
  /** Of the beginning that half of the prompts share. */
  readonly prefixTokens: number
}

interface Half {
  readonly run_dir: string
  readonly ttft_p50_ms: number | null
  /** By the server's own counters; null where it has none. */
  readonly cache_hit_ratio: number | null
}

/** What a prefix cache did for prompts that begin alike, beside prompts of the same length that do not. */
export interface CacheProbe {
  readonly unique: Half
  readonly repeated: Half
  /** TTFT with a known beginning / without, medians, and its 95 % interval. */
  readonly ttft_ratio: number | null
  readonly ci95: readonly [number, number] | null
  /** `works`: the interval lies below 1. `counts`: only the counters say so. `no_evidence`: neither does. */
  readonly verdict: 'works' | 'counts' | 'no_evidence'
}

/** One of the two runs of a probe. */
export type ProbeHalf = 'unique' | 'repeated'

/** What a half is run with. */
export interface HalfParts {
  readonly parts: BenchParts
  readonly watcher: BenchWatcher
}

const REST_TOKENS = 64
const ANSWER_TOKENS = 4
const WARMUP_REQUESTS = 2
/** Of the tokens of the repeated prompts at least so many must be hits to be believed. */
const BELIEVABLE = 0.5
/** A server drifts by some percent between two runs; a cache spares it most of a prompt. */
const LEAST_GAIN = 0.1

/**
 * Measures twice, one request at a time: with prompts that nobody has seen, then with prompts that share all but their last
 * tokens. The difference of their times to the first token is tested, not divided by a guess.
 *
 * @param open the parts of a half, which sends so many requests; closed by the caller
 * @throws as `runBench`
 * @see Siryoos/kserve-vllm-mini:cache-probe.sh — infers a hit ratio from the TTFT gain alone
 */
export async function probeCache(
  options: CacheProbeOptions,
  open: (half: ProbeHalf, requests: number) => Promise<HalfParts>,
  signal: AbortSignal,
): Promise<CacheProbe> {
  const {prefixTokens} = options
  const requests = WARMUP_REQUESTS + options.requests
  const unseen = {prompt_tokens: prefixTokens + REST_TOKENS}
  const unique = await measure(unseen, options, await open('unique', requests), signal)
  const shared = {prefix_groups: 1, prefix_tokens: prefixTokens, prompt_tokens: REST_TOKENS}
  const repeated = await measure(shared, options, await open('repeated', requests), signal)
  const figures = [{metric: 'ttft', percentile: 50}] as const
  const {compareRuns} = await import('../analysis/index.js')
  const {figures: compared} = await compareRuns([unique.run], [repeated.run], {
    figures,
    tolerance: LEAST_GAIN,
    isForced: true,
  })
  const {ratio, ci95} = compared[0]!
  const hits = repeated.half.cache_hit_ratio
  const isFaster = ci95 !== null && ci95[1] < 1 - LEAST_GAIN
  return {
    unique: unique.half,
    repeated: repeated.half,
    ttft_ratio: ratio,
    ci95,
    verdict: isFaster ? 'works' : hits !== null && hits >= BELIEVABLE ? 'counts' : 'no_evidence',
  }
}

async function measure(
  prompts: Readonly<Record<string, number>>,
  {urls, model, apiKey, isInsecure, requests}: CacheProbeOptions,
  {parts, watcher}: HalfParts,
  signal: AbortSignal,
): Promise<{run: RunDirectory; half: Half}> {
  const profile = {
    metadata: {name: 'cache-probe'},
    load_test: {requests, concurrency: 1, warmup_requests: WARMUP_REQUESTS},
    request: {max_tokens: ANSWER_TOKENS, temperature: 0, ...prompts},
  }
  const {analyzeRun} = await import('../analysis/index.js')
  const {runBench} = await import('../bench/index.js')
  const {parseJobRequest, planJob} = await import('../jobs/index.js')
  const {ask} = await planJob(parseJobRequest({profile}), urls)
  const asked: BenchAsk = {...ask, model, apiKey, isInsecure}
  const {run, wasStopped} = await runBench(asked, parts, watcher, signal)
  if (wasStopped) signal.throwIfAborted()
  const {results} = await analyzeRun(run)
  return {
    run,
    half: {run_dir: run.path, ttft_p50_ms: results.ttft_p50_ms, cache_hit_ratio: results.cache_hit_ratio},
  }
}
