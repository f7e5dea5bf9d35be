import type {SentPayloads} from '../bench/index.js'
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

/** One figure of AIPerf's export; a figure of the whole run has `avg` alone. */
interface AiperfMetric {
  readonly unit: string
  readonly avg: number
  readonly [statistic: string]: number | string | null
}

const PERCENTILES = [1, 5, 10, 25, 50, 75, 90, 95, 99] as const

/**
 * A run as AIPerf's `profile_export_aiperf.json`, with its formulas: `inter_token_latency` counts tokens after the first (its
 * name for TPOT), `inter_chunk_latency` is the gap between chunks, `effective_latency` counts from the schedule.
 *
 * @see ai-dynamo/aiperf:src/aiperf/metrics/types
 */
export function aiperfDocument(exported: ExportedRun): Record<string, unknown> {
  const {meta, results, requests, epochMs} = exported
  const ok = requests.filter(({isOk}) => isOk)
  const seconds = durationSeconds(requests)
  const start = requests.reduce((least, one) => Math.min(least, one.sentAtMs ?? Infinity), Infinity)
  const iso = (ms: number): string | null =>
    Number.isFinite(ms) ? new Date(epochMs(ms)).toISOString() : meta.started_at
  return {
    schema_version: '1.0',
    aiperf_version: `kvctl ${meta.tool_version ?? ''}`.trim(),
    benchmark_id: results.run_id,
    ...metricsOf(exported, ok, seconds),
    input_config: {
      endpoint: {
        model_names: [meta.model],
        type: endpointType(meta.endpoint),
        streaming: meta.stream,
        urls: meta.urls,
      },
      loadgen: {
        concurrency: meta.mode === 'open' ? null : meta.concurrency,
        request_rate: meta.mode === 'open' ? meta.target_rps : null,
        request_count: meta.requests,
        warmup_request_count: meta.warmup_requests,
      },
      input: {random_seed: meta.seed},
    },
    run_info: {status: results.status, warnings: results.warnings},
    telemetry_data: null,
    was_cancelled: results.status === 'interrupted',
    error_summary: errorSummary(requests),
    start_time: iso(start),
    end_time: iso(start + seconds * 1000),
  }
}

/** `profile_export.jsonl`: one line a request, instants in ns since the epoch. */
export function aiperfRecords({results, requests, epochMs}: ExportedRun): string {
  const ns = (ms: number | null): number | null => (ms === null ? null : Math.round(epochMs(ms) * 1e6))
  return requests
    .map(request => {
      const {id, session, turn, sentAtMs, firstByteAtMs, doneAtMs} = request
      const conversationId = `${results.run_id}-${session}`
      return JSON.stringify({
        metadata: {
          session_num: id - 1,
          x_request_id: `${results.run_id}-${id}`,
          x_correlation_id: conversationId,
          conversation_id: conversationId,
          turn_index: turn,
          request_start_ns: ns(sentAtMs),
          request_ack_ns: ns(firstByteAtMs),
          request_end_ns: ns(doneAtMs),
          worker_id: 'kvctl',
          benchmark_phase: 'profiling',
          was_cancelled: request.isIncomplete,
          cancellation_time_ns: request.isIncomplete ? ns(doneAtMs) : null,
        },
        metrics: recordMetrics(request),
        error:
          request.errorType === null
            ? null
            : {type: request.errorType, message: request.error || request.errorType},
      })
    })
    .map(line => `${line}\n`)
    .join('')
}

/**
 * `inputs.json`: the bodies of each conversation, in parts, since prompts may be longer than a text can be.
 *
 * @see ai-dynamo/aiperf:src/aiperf/common/models/dataset_models.py — InputsFile, SessionPayloads
 */
export function* aiperfInputs({results, requests}: ExportedRun, payloads: SentPayloads): Generator<string> {
  yield '{"data":['
  for (const [index, {id, session}] of requests.entries()) {
    const isNew = requests[index - 1]?.session !== session
    if (isNew) yield `${index === 0 ? '' : ']},'}{"session_id":"${results.run_id}-${session}","payloads":[`
    yield `${isNew ? '' : ','}${JSON.stringify(payloads.body(id))}`
  }
  yield `${requests.length === 0 ? '' : ']}'}]}\n`
}

/** What each request has one of, by AIPerf's tag. */
const PER_REQUEST: Readonly<Record<string, {unit: string; of: (request: ExportedRequest) => number | null}>> =
  {
    time_to_first_token: {unit: 'ms', of: one => one.ttftMs},
    time_to_second_token: {unit: 'ms', of: one => (one.gapsUs.length === 0 ? null : one.gapsUs[0]! / 1000)},
    time_to_first_output_token: {unit: 'ms', of: one => one.ttftMs},
    inter_token_latency: {unit: 'ms', of: one => one.tpotMs},
    request_latency: {unit: 'ms', of: one => one.e2eMs},
    effective_latency: {unit: 'ms', of: effectiveMs},
    output_token_throughput_per_user: {
      unit: 'tokens/sec/user',
      of: one => (one.tpotMs === null || one.tpotMs <= 0 ? null : 1000 / one.tpotMs),
    },
    input_sequence_length: {unit: 'tokens', of: one => one.promptTokens},
    output_sequence_length: {unit: 'tokens', of: one => one.completionTokens},
    output_token_count: {unit: 'tokens', of: one => one.completionTokens},
  }

function recordMetrics(request: ExportedRequest): Record<string, {value: number | number[]; unit: string}> {
  const values = Object.entries(PER_REQUEST).flatMap(([tag, {unit, of}]) => {
    const value = request.isOk ? of(request) : null
    return value === null ? [] : [[tag, {value, unit}] as const]
  })
  const gaps = Array.from(request.gapsUs, gap => gap / 1000)
  return {
    ...Object.fromEntries(values),
    ...(request.isOk && gaps.length > 0 && {inter_chunk_latency: {value: gaps, unit: 'ms'}}),
  }
}

function metricsOf(
  {meta, requests}: ExportedRun,
  ok: readonly ExportedRequest[],
  seconds: number,
): Record<string, AiperfMetric> {
  const gapsMs: number[] = []
  for (const {gapsUs} of ok) for (const gap of gapsUs) gapsMs.push(gap / 1000)
  const [input, output] = [sum(ok.map(one => one.promptTokens)), sum(ok.map(one => one.completionTokens))]
  const rate = (count: number): number => (seconds > 0 ? count / seconds : 0)
  const whole = (avg: number, unit: string): AiperfMetric => ({unit, avg})
  const samples: [string, string, number[]][] = [
    ...Object.entries(PER_REQUEST).map(
      ([tag, {unit, of}]) => [tag, unit, known(ok.map(of))] as [string, string, number[]],
    ),
    ['inter_chunk_latency', 'ms', gapsMs],
  ]
  const {slo} = meta
  const good = slo === null ? null : ok.filter(one => isGood(slo, sloValues(one))).length
  return {
    ...Object.fromEntries(
      samples.flatMap(([tag, unit, values]) =>
        values.length === 0 ? [] : [[tag, distribution(values, unit)]],
      ),
    ),
    output_token_throughput: whole(rate(output), 'tokens/sec'),
    total_token_throughput: whole(rate(input + output), 'tokens/sec'),
    request_throughput: whole(rate(ok.length), 'requests/sec'),
    request_count: whole(ok.length, 'requests'),
    error_request_count: whole(requests.length - ok.length, 'requests'),
    reasoning_token_count: whole(0, 'tokens'),
    benchmark_duration: whole(seconds, 'sec'),
    ...(good !== null && {
      goodput: whole(rate(good), 'requests/sec'),
      good_request_count: whole(good, 'requests'),
      good_request_fraction: whole(requests.length === 0 ? 0 : good / requests.length, 'ratio'),
    }),
  }
}

function distribution(values: readonly number[], unit: string): AiperfMetric {
  const sorted = Float64Array.from(values).sort()
  const total = sum(values)
  const {mean, std} = momentsByN(values)
  const n = sorted.length
  return {
    unit,
    avg: mean,
    min: sorted[0]!,
    max: sorted[n - 1]!,
    ...Object.fromEntries(PERCENTILES.map(p => [`p${p}`, percentile(sorted, p / 100)])),
    std,
    count: n,
    sum: total,
  }
}

function errorSummary(requests: readonly ExportedRequest[]): unknown[] {
  const counts = new Map<string, {type: string; message: string; count: number}>()
  for (const {errorType, error} of requests) {
    if (errorType === null) continue
    const entry = counts.get(errorType) ?? {type: errorType, message: error || errorType, count: 0}
    entry.count++
    counts.set(errorType, entry)
  }
  return [...counts.values()].map(({type, message, count}) => ({
    error_details: {code: null, type, message},
    count,
  }))
}

function effectiveMs({scheduledAtMs, sentAtMs, e2eMs}: ExportedRequest): number | null {
  return scheduledAtMs === null || sentAtMs === null || e2eMs === null
    ? null
    : sentAtMs - scheduledAtMs + e2eMs
}

function endpointType(endpoint: string | null): string {
  return endpoint?.includes('/chat/') === false ? 'completions' : 'chat'
}
