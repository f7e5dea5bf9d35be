import {isGood, percentile} from '../metrics/index.js'
import {
  durationSeconds,
  known,
  sloValues,
  sum,
  type ExportedRequest,
  type ExportedRun,
} from './exported-run.js'
import {momentsByN} from './moments-by-n.js'
import {peakConcurrency, peakTokensPerSecond} from './vllm-peaks.js'
import {rampKeys} from './vllm-ramp.js'

export interface VllmOptions {
  /** Also one entry a request: vLLM's `--save-detailed`. */
  readonly isDetailed: boolean
  /** vLLM's `--metric-percentiles`, such as 99 or 99.9. */
  readonly percentiles: readonly number[]
}

/**
 * A run as `vllm bench serve --save-result` writes it, with vLLM's formulas: `itl` is the gap between chunks, `tpot` counts tokens
 * after the first, deviations divide by n, rates are over the whole run. Arrays are seconds, keys that end in `_ms` milliseconds.
 *
 * @see vllm-project/vllm:vllm/benchmarks/serve.py
 */
export function vllmDocument(exported: ExportedRun, options: VllmOptions): Record<string, unknown> {
  const {requests} = exported
  const ok = requests.filter(({isOk}) => isOk)
  const seconds = durationSeconds(requests)
  const rate = (count: number): number => (seconds > 0 ? count / seconds : 0)
  const [input, output] = [sum(ok.map(one => one.promptTokens)), sum(ok.map(outputTokens))]
  return {
    ...setUp(exported),
    duration: seconds,
    completed: ok.length,
    failed: requests.length - ok.length,
    total_input_tokens: input,
    total_output_tokens: output,
    request_throughput: rate(ok.length),
    request_goodput: goodput(exported, ok, seconds),
    output_throughput: rate(output),
    total_token_throughput: rate(input + output),
    ...(options.isDetailed && detailed(requests)),
    latencies: requests.map(one => secondsOf(one.e2eMs)),
    queue_times: requests.map(one => secondsOf(queueMs(one))),
    max_output_tokens_per_s: peakTokensPerSecond(ok),
    max_concurrent_requests: peakConcurrency(ok),
    rtfx: 0,
    ...steadyState(exported),
    ...speculation(exported),
    ...statistics('ttft', known(ok.map(one => one.ttftMs)), options.percentiles),
    ...statistics('tpot', known(ok.map(one => one.tpotMs)), options.percentiles),
    ...statistics('itl', gapsMs(ok), options.percentiles),
    ...statistics('e2el', known(ok.map(one => one.e2eMs)), options.percentiles),
    ...statistics('client_queue_time', known(ok.map(queueMs)), options.percentiles),
    ...statistics('e2el_including_client_queue', known(ok.map(fromScheduleMs)), options.percentiles),
  }
}

/** vLLM's own name for such a file: `{label}-{rate}qps[-concurrency{N}]-{model}-{date}.json`. */
export function vllmFileName(document: Record<string, unknown>): string {
  const {backend, request_rate, max_concurrency, model_id, date} = document as Record<
    'backend' | 'request_rate' | 'model_id' | 'date',
    string
  > & {max_concurrency: number | null}
  const model = model_id
    .split('/')
    .at(-1)!
    .replaceAll(/[^\w.-]/g, '_')
  const limit = max_concurrency === null ? '' : `-concurrency${max_concurrency}`
  return `${backend}-${request_rate}qps${limit}-${model}-${date}.json`
}

function setUp(exported: ExportedRun): Record<string, unknown> {
  const {meta, requests} = exported
  const plan = meta.plan as {burstiness?: number; max_concurrency?: number | null} | null
  const backend = meta.endpoint?.includes('/chat/') === false ? 'openai' : 'openai-chat'
  const rate = meta.mode === 'open' ? meta.target_rps : null
  return {
    date: dateOf(meta.started_at ?? new Date((meta.test_start_time ?? 0) * 1000).toISOString()),
    endpoint_type: backend,
    backend,
    label: null,
    model_id: meta.model ?? 'unknown',
    tokenizer_id: meta.model ?? 'unknown',
    num_prompts: requests.length,
    request_rate: rate ?? 'inf',
    burstiness: plan?.burstiness ?? 1,
    max_concurrency: meta.mode === 'open' ? (plan?.max_concurrency ?? null) : meta.concurrency,
    ...rampKeys(exported),
  }
}

/** `%Y%m%d-%H%M%S`, in local time as vLLM writes it. */
function dateOf(iso: string): string {
  const at = new Date(iso)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}`
  return `${day}-${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join('')}`
}

function detailed(requests: readonly ExportedRequest[]): Record<string, unknown> {
  return {
    input_lens: requests.map(one => one.promptTokens ?? 0),
    output_lens: requests.map(one => (one.isOk ? outputTokens(one) : 0)),
    ttfts: requests.map(one => secondsOf(one.ttftMs)),
    itls: requests.map(one => Array.from(one.gapsUs, gap => gap / 1e6)),
    start_times: requests.map(one => secondsOf(one.sentAtMs)),
    // Answers are not kept.
    generated_texts: requests.map(() => ''),
    errors: requests.map(one => (one.isOk ? '' : one.error || one.errorType!)),
  }
}

/** What the server counted of drafted tokens; nothing where it drafts none. Rate in percent. */
function speculation({results: {server}}: ExportedRun): Record<string, unknown> {
  if (server?.drafts == null || server.drafts === 0) return {}
  const {draft_acceptance_rate: rate} = server
  return {
    spec_decode_acceptance_rate: rate === null ? null : rate * 100,
    spec_decode_acceptance_length: server.draft_acceptance_length,
    spec_decode_num_drafts: server.drafts,
    spec_decode_draft_tokens: server.draft_tokens,
    spec_decode_accepted_tokens: server.accepted_draft_tokens,
    // Servers tell sums alone.
    spec_decode_per_position_acceptance_rates: [],
  }
}

/** The Rust client's window, which is ours of a closed loop. */
function steadyState({results, requests, meta}: ExportedRun): Record<string, unknown> {
  const window = results.measure_window
  if (window === null || meta.mode !== 'closed') return {}
  const [from, to] = [window.start_seconds * 1000, window.end_seconds * 1000]
  const isInside = (at: number | null): boolean => at !== null && at >= from && at < to
  return {
    steady_state: {
      window: {
        start_s: window.start_seconds,
        end_s: window.end_seconds,
        duration_s: window.seconds,
        target_concurrency: meta.concurrency,
        threshold: 1,
        threshold_abs: meta.concurrency,
        observed_peak: peakConcurrency(requests.filter(({isOk}) => isOk)),
        requests_started_in_window: requests.filter(one => isInside(one.sentAtMs)).length,
        requests_completed_in_window: requests.filter(one => one.isOk && isInside(one.doneAtMs)).length,
        requests_total: requests.length,
        warning: null,
      },
    },
  }
}

/** Mean, median, deviation with n and percentiles, ms; without samples 0, as vLLM says it. */
function statistics(
  name: string,
  samples: readonly number[],
  percentiles: readonly number[],
): Record<string, number> {
  const sorted = Float64Array.from(samples).sort()
  const {mean, std} = momentsByN(samples)
  return {
    [`mean_${name}_ms`]: mean,
    [`median_${name}_ms`]: percentile(sorted, 0.5) ?? 0,
    [`std_${name}_ms`]: std,
    ...Object.fromEntries(
      percentiles.map(p => [`p${p}_${name}_ms`, percentile(sorted, p / 100) ?? 0] as const),
    ),
  }
}

function goodput({meta}: ExportedRun, ok: readonly ExportedRequest[], seconds: number): number | null {
  const {slo} = meta
  if (slo === null) return null
  const good = ok.filter(one => isGood(slo, sloValues(one)))
  return seconds > 0 ? good.length / seconds : 0
}

/** vLLM takes an answer whose tokens nobody counted for one token. */
function outputTokens({completionTokens, chunkCount}: ExportedRequest): number {
  return completionTokens ?? chunkCount ?? 1
}

function gapsMs(ok: readonly ExportedRequest[]): number[] {
  const gaps: number[] = []
  for (const {gapsUs} of ok) for (const gap of gapsUs) gaps.push(gap / 1000)
  return gaps
}

function queueMs({sentAtMs, scheduledAtMs}: ExportedRequest): number | null {
  return sentAtMs === null || scheduledAtMs === null ? null : sentAtMs - scheduledAtMs
}

function fromScheduleMs(request: ExportedRequest): number | null {
  const queued = queueMs(request)
  return queued === null || request.e2eMs === null ? null : queued + request.e2eMs
}

/** vLLM has no unknown times; what never came is 0. */
function secondsOf(ms: number | null): number {
  return ms === null ? 0 : ms / 1000
}
