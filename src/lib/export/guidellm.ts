import {packageVersion} from '../foundation/index.js'
import {known, sum, type ExportedRequest, type ExportedRun} from './exported-run.js'
import {
  guideLlmSummary,
  levelsOverTime,
  ratesOverTime,
  type GuideLlmSummary,
  type Weighted,
} from './guidellm-distribution.js'
import {guideLlmRequest, iterationsOf} from './guidellm-request.js'

interface Groups<T> {
  readonly successful: T
  readonly incomplete: T
  readonly errored: T
}

/**
 * A run as GuideLLM's `benchmarks.json`, with its formulas: `time_per_output_token_ms` counts the first token too, percentiles are
 * nearest rank, latencies of requests are seconds, instants epoch seconds.
 *
 * @see vllm-project/guidellm:src/guidellm/benchmark/schemas
 */
export function guideLlmDocument(exported: ExportedRun): Record<string, unknown> {
  const {meta, requests} = exported
  const groups: Groups<readonly ExportedRequest[]> = {
    successful: requests.filter(({isOk}) => isOk),
    incomplete: requests.filter(({isIncomplete}) => isIncomplete),
    errored: requests.filter(({isOk, isIncomplete}) => !isOk && !isIncomplete),
  }
  const [start, end] = spanOf(exported)

  return {
    metadata: {
      version: 2,
      guidellm_version: `kvctl ${packageVersion}`,
      python_version: null,
      platform: `${process.platform}-${process.arch}`,
    },
    config: {target: meta.url, model: meta.model, profile: profileOf(exported).type_, data: meta.prompt},
    benchmarks: [
      {
        type_: 'generative_benchmark',
        config: configOf(exported),
        scheduler_state: {
          start_time: start,
          end_time: end,
          created_requests: requests.length,
          processed_requests: requests.length,
          successful_requests: groups.successful.length,
          errored_requests: groups.errored.length,
          cancelled_requests: groups.incomplete.length,
        },
        scheduler_metrics: schedulerMetrics(exported, groups),
        metrics: metricsOf(groups, firstSendMs(requests)),
        requests: forEachGroup(groups, group => group.map(one => guideLlmRequest(exported, one))),
        start_time: start,
        end_time: end,
        duration: start === null || end === null ? 0 : end - start,
        warmup_duration: 0,
        cooldown_duration: 0,
      },
    ],
  }
}

function profileOf({meta}: ExportedRun): {type_: string} & Record<string, unknown> {
  if (meta.mode === 'closed') {
    return meta.concurrency === 1 ? {type_: 'synchronous'} : {type_: 'concurrent', streams: meta.concurrency}
  }
  const type_ = meta.pattern === 'poisson' ? 'poisson' : 'constant'
  return {type_, rate: meta.target_rps}
}

function configOf(exported: ExportedRun): Record<string, unknown> {
  const {meta, requests} = exported
  return {
    strategy: profileOf(exported),
    constraints: {max_requests: requests.length, max_seconds: meta.duration_sec},
    warmup: {requests: meta.warmup_requests},
    cooldown: null,
    profile: profileOf(exported),
    requests: {data: meta.prompt, max_tokens: meta.max_tokens},
    backend: {type_: 'openai_http', target: meta.url, model: meta.model},
    environment: {type_: 'non_distributed', client: meta.client ?? null},
  }
}

function schedulerMetrics(
  exported: ExportedRun,
  groups: Groups<readonly ExportedRequest[]>,
): Record<string, unknown> {
  const {requests, results, epochMs} = exported
  const [start, end] = spanOf(exported)
  const window = results.measure_window
  const at = (seconds: number | undefined): number | null =>
    seconds === undefined ? null : epochMs(seconds * 1000) / 1000
  const mean = (values: readonly (number | null)[]): number => {
    const all = known(values)
    return all.length === 0 ? -1 : sum(all) / all.length / 1000
  }
  const lag = mean(requests.map(one => between(one.scheduledAtMs, one.sentAtMs)))
  const took = mean(requests.map(one => between(one.sentAtMs, one.doneAtMs)))
  return {
    start_time: start,
    request_start_time: start,
    measure_start_time: at(window?.start_seconds) ?? start,
    measure_end_time: at(window?.end_seconds) ?? end,
    request_end_time: end,
    end_time: end,
    requests_made: countsOf(groups),
    queued_time_avg: lag,
    resolve_start_delay_avg: 0,
    resolve_targeted_start_delay_avg: lag,
    request_start_delay_avg: 0,
    request_targeted_start_delay_avg: lag,
    request_time_avg: took,
    resolve_end_delay_avg: 0,
    resolve_time_avg: took,
    finalized_delay_avg: 0,
    processed_delay_avg: 0,
  }
}

type ByStatus = Groups<GuideLlmSummary> & {readonly total: GuideLlmSummary}

function metricsOf(groups: Groups<readonly ExportedRequest[]>, startMs: number): Record<string, unknown> {
  const all = Object.values(groups).flat() as ExportedRequest[]
  const summarised = (
    samplesOf: (requests: readonly ExportedRequest[]) => readonly Weighted[],
  ): ByStatus => ({
    ...forEachGroup(groups, group => guideLlmSummary(samplesOf(group))),
    total: guideLlmSummary(samplesOf(all)),
  })
  const perRequest = (value: (request: ExportedRequest) => number | null): ByStatus =>
    summarised(requests => known(requests.map(value)).map(one => [one, 1] as const))
  const rate = (amount: (request: ExportedRequest) => number | null): ByStatus =>
    summarised(requests =>
      ratesOverTime(
        startMs,
        requests.flatMap(one => (one.doneAtMs === null ? [] : [[one.doneAtMs, amount(one) ?? 0] as const])),
      ),
    )
  const iterations = ({gapsUs, firstTokenAtMs}: ExportedRequest): number | null =>
    iterationsOf(gapsUs, firstTokenAtMs)
  return {
    request_totals: countsOf(groups),
    requests_per_second: rate(() => 1),
    request_concurrency: summarised(requests =>
      levelsOverTime(
        requests.flatMap(({sentAtMs, doneAtMs}) =>
          sentAtMs === null || doneAtMs === null ? [] : [[sentAtMs, doneAtMs] as const],
        ),
      ),
    ),
    request_latency: perRequest(one => ratio(between(one.sentAtMs, one.doneAtMs), 1000)),
    prompt_token_count: perRequest(one => one.promptTokens),
    output_token_count: perRequest(one => one.completionTokens),
    total_token_count: perRequest(totalTokens),
    time_to_first_token_ms: perRequest(one => one.ttftMs),
    time_to_first_output_token_ms: perRequest(one => one.ttftMs),
    time_per_output_token_ms: perRequest(one =>
      ratio(between(one.sentAtMs, one.doneAtMs), one.completionTokens),
    ),
    inter_token_latency_ms: perRequest(one => one.tpotMs),
    prompt_tokens_per_second: rate(one => one.promptTokens),
    output_tokens_per_second: rate(one => one.completionTokens),
    tokens_per_second: rate(totalTokens),
    output_tokens_per_iteration: perRequest(one => ratio(one.completionTokens, iterations(one))),
    iter_tokens_per_iteration: perRequest(one => {
      const count = iterations(one)
      if (count === null || one.completionTokens === null) return null
      return ratio(one.completionTokens - 1, count - 1)
    }),
  }
}

function countsOf(groups: Groups<readonly unknown[]>): Record<string, number> {
  const {successful, incomplete, errored} = forEachGroup(groups, ({length}) => length)
  return {successful, incomplete, errored, total: successful + incomplete + errored}
}

function forEachGroup<T, R>({successful, incomplete, errored}: Groups<T>, make: (group: T) => R): Groups<R> {
  return {successful: make(successful), incomplete: make(incomplete), errored: make(errored)}
}

function firstSendMs(requests: readonly ExportedRequest[]): number {
  return requests.reduce((least, {sentAtMs}) => Math.min(least, sentAtMs ?? Infinity), Infinity)
}

/** First send and last end, epoch seconds. */
function spanOf({requests, epochMs}: ExportedRun): [number | null, number | null] {
  const to = requests.reduce((most, {doneAtMs}) => Math.max(most, doneAtMs ?? -Infinity), -Infinity)
  const epoch = (ms: number): number | null => (Number.isFinite(ms) ? epochMs(ms) / 1000 : null)
  return [epoch(firstSendMs(requests)), epoch(to)]
}

function totalTokens({promptTokens, completionTokens}: ExportedRequest): number | null {
  return promptTokens === null || completionTokens === null ? null : promptTokens + completionTokens
}

function between(fromMs: number | null, toMs: number | null): number | null {
  return fromMs === null || toMs === null ? null : toMs - fromMs
}

function ratio(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole <= 0 ? null : part / whole
}
