import type {RunResults} from '../runs/index.js'
import {distributionJson, type Distributions, type Sampled} from './distributions.js'
import type {MeasuredRequests} from './measured-requests.js'
import {adjustedPercentile} from './request-groups.js'
import type {ResourceMeans} from './resources.js'
import {ratio, rounded} from './rounding.js'
import type {WholeSpan, WindowFigures} from './run-figures.js'
import type {TokenArrivals} from './token-arrivals.js'

export interface MetricsInputs {
  readonly measured: MeasuredRequests
  readonly distributions: Distributions
  readonly arrivals: TokenArrivals
  readonly window: WindowFigures
  readonly span: WholeSpan
  readonly completionTokens: number | null
  readonly resources: ResourceMeans
  /** Of rates over the window, from batches. */
  readonly rates: {readonly requests: Interval; readonly tokens: Interval}
}

type Interval = readonly [low: number, high: number] | null

/**
 * The `metrics` object: distributions over all measured requests, throughput and concurrency over the measure window, and
 * under `run_…` the same over the whole run with its drain, which most tools print.
 */
export function metricsBlock(inputs: MetricsInputs): RunResults['metrics'] {
  const {distributions: of, arrivals, window, span, measured, resources, rates} = inputs
  const measure = (value: number | null, unit: string, interval: Interval = null) => ({
    unit,
    value: rounded(value),
    ...(interval && {ci95: [rounded(interval[0])!, rounded(interval[1])!] as [number, number]}),
  })
  const failures = measured.sentRows.length - measured.successes + measured.notSent
  const adjusted = (name: string, {sorted}: Sampled) =>
    ([50, 95, 99] as const).map(
      percent =>
        [
          `${name}_adj_p${percent}`,
          measure(adjustedPercentile(sorted, failures, percent / 100), 'ms'),
        ] as const,
    )
  const {input, output} = {input: window.inputTokensPerSecond, output: window.outputTokensPerSecond}
  return {
    ttft: distributionJson(of.ttft.summary, 'ms', of.ttft.meanInterval),
    ttft_sched: distributionJson(of.ttftSched.summary, 'ms', of.ttftSched.meanInterval),
    ttfo: distributionJson(of.ttfo.summary, 'ms'),
    ttfb: distributionJson(of.ttfb.summary, 'ms'),
    e2e: distributionJson(of.e2e.summary, 'ms', of.e2e.meanInterval),
    e2e_sched: distributionJson(of.e2eSched.summary, 'ms', of.e2eSched.meanInterval),
    latency: distributionJson(of.bodyLatency.summary, 'ms'),
    tpot: distributionJson(of.tpot.summary, 'ms/token', of.tpot.meanInterval),
    itl: distributionJson(arrivals.itl.summaryMs(arrivals.itlMeanMs), 'ms/token'),
    icl: distributionJson(arrivals.icl.summaryMs(), 'ms'),
    // As above with every failed request slower than all others.
    ...Object.fromEntries([...adjusted('ttft', of.ttft), ...adjusted('e2e', of.e2e)]),
    max_gap: distributionJson(of.maxGap.summary, 'ms'),
    norm_latency: distributionJson(of.normLatency.summary, 'ms/token'),
    queue_client: distributionJson(of.queueClient.summary, 'ms'),
    input_tokens: distributionJson(of.inputTokens.summary, 'tokens'),
    output_tokens: distributionJson(of.outputTokens.summary, 'tokens'),
    request_throughput: measure(window.requestsPerSecond, 'requests/s', rates.requests),
    output_throughput: measure(output, 'tokens/s', rates.tokens),
    input_throughput: measure(input, 'tokens/s'),
    total_token_throughput: measure(input === null || output === null ? null : input + output, 'tokens/s'),
    run_request_throughput: measure(ratio(measured.successes, span.seconds), 'requests/s'),
    run_output_throughput: measure(ratio(inputs.completionTokens, span.seconds), 'tokens/s'),
    peak_output_tps: measure(arrivals.peakTokensPerSecond, 'tokens/s'),
    offered_rate: measure(window.scheduledPerSecond, 'requests/s'),
    sent_rate: measure(window.sentPerSecond, 'requests/s'),
    concurrency_mean: measure(window.concurrency.mean, 'requests'),
    concurrency_p50: measure(window.concurrency.p50, 'requests'),
    concurrency_p95: measure(window.concurrency.p95, 'requests'),
    concurrency_max: measure(window.concurrency.max, 'requests'),
    little_check: measure(window.littleCheck, 'ratio'),
    error_rate: measure(errorRate(measured), 'ratio'),
    cached_fraction: measure(cachedFraction(measured), 'ratio'),
    kv_cache_usage_mean: measure(resources.kvCacheUsageMean, 'ratio'),
    kv_cache_usage_max: measure(resources.kvCacheUsageMax, 'ratio'),
    preemptions: measure(resources.preemptions, 'requests'),
  }
}

/** Failed / (failed + successful); what we stopped or never sent counts for neither. */
function errorRate({table, total, successes}: MeasuredRequests): number | null {
  const ours = ['aborted', 'not_sent'].map(name => table.outcomeNames.indexOf(name))
  let stopped = 0
  for (let row = 0; row < table.count; row++) {
    if (table.isWarmup[row] === 0 && ours.includes(table.outcome[row]!)) stopped++
  }
  return ratio(total - stopped - successes, total - stopped)
}

/** Prompt tokens that the server found in its cache, of the requests whose usage says so; null when none does. */
function cachedFraction({table, sentRows}: MeasuredRequests): number | null {
  let [cached, prompt] = [0, 0]
  for (const row of sentRows) {
    if (table.outcome[row] !== 0 || table.cachedTokens[row]! < 0 || table.promptTokens[row]! < 0) continue
    cached += table.cachedTokens[row]!
    prompt += table.promptTokens[row]!
  }
  return ratio(cached, prompt === 0 ? null : prompt)
}
