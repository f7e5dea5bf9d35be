import {join} from 'node:path'
import {heldOver, startCost} from '../cost/index.js'
import {clientAdvice} from './client-advice.js'
import {clientLimits, niceBins, percentile, type MeasureWindow, type SloLimits} from '../metrics/index.js'
import {
  leastTrusted,
  metaSchema,
  originEpochMs,
  readClusterRecord,
  readMetaIfAny,
  readPricing,
  readPrometheusWindow,
  readRequests,
  RUN_FILES,
  TOKENS_SOURCES,
  writeJsonAtomic,
  type Pricing,
  type RunAnalysis,
  type RunDirectory,
  type RunMeta,
  type RunResults,
  type TokensSource,
} from '../runs/index.js'
import {coldCosts} from './cold-costs.js'
import {markCold} from './cold-starts.js'
import {costFigures} from './cost-figures.js'
import {distributionsOf, type Distributions} from './distributions.js'
import {doubts} from './doubts.js'
import {energyFigures, readEnergy} from './energy-figures.js'
import {errorList} from './error-list.js'
import {flatKeys} from './flat-keys.js'
import {readIoProbe} from './io-probe.js'
import {goodputBlock} from './goodput.js'
import {measuredRequests, type MeasuredRequests} from './measured-requests.js'
import {mostBatches, rateIntervalOf} from './mean-intervals.js'
import {metricsBlock} from './metrics-block.js'
import {fairnessOf, phaseGroups, tenantGroups} from './request-groups.js'
import {coldSpansOf} from './pod-cold-spans.js'
import {prometheusBlock, withPrometheus} from './prometheus-figures.js'
import {readResources} from './resources.js'
import {rounded} from './rounding.js'
import {measureWindows} from './measure-windows.js'
import {lengthMs, tokenTotals, wholeSpan, windowFigures} from './run-figures.js'
import {seedBlocks} from './seed-blocks.js'
import {stageGroups} from './stage-groups.js'
import {serverFigures} from './server-figures.js'
import {readServerSeries} from './server-series.js'
import {stabilityOf} from './stability.js'
import {slicesOf} from './slices.js'
import {timeline} from './timeline.js'
import {readTokenArrivals} from './token-arrivals.js'
import {validationJson} from './validation.js'

export interface RunFigures {
  readonly results: RunResults
  readonly analysis: RunAnalysis
  /** What is paid for, on average while the run lasted; null where nobody priced it. */
  readonly held: Pricing | null
}

export interface AnalyzeOptions {
  /** Where the documented analysis output goes; `analysis.json` of the run by default. */
  readonly analysisPath?: string | undefined
  /** Replace what `meta.json` says. */
  readonly namespace?: string | undefined
  readonly service?: string | undefined
  /** Replaces the goals of `meta.json`. */
  readonly slo?: SloLimits | undefined
}

/**
 * Computes every figure of a run from its files alone (the same files give the same bytes) and writes `results.json` and
 * `analysis.json` beside them. A run without requests gives nulls and a warning.
 *
 * @throws ResourceError `RUN_INCOMPLETE` without `requests.csv`, `DISK_FULL`, `NOT_WRITABLE`
 * @throws ConfigurationError `RUN_UNREADABLE`
 */
export async function analyzeRun(run: RunDirectory, options: AnalyzeOptions = {}): Promise<RunFigures> {
  const figures = await computeRunFigures(run, options)
  await writeJsonAtomic(join(run.path, RUN_FILES.results), figures.results)
  await writeJsonAtomic(options.analysisPath ?? join(run.path, RUN_FILES.analysis), figures.analysis)
  return figures
}

/** `analyzeRun` without writing. */
export async function computeRunFigures(
  run: RunDirectory,
  options: AnalyzeOptions = {},
): Promise<RunFigures> {
  const stored = await readMetaIfAny(run)
  const asked = stored ?? metaSchema.parse({})
  const meta = {
    ...asked,
    namespace: options.namespace ?? asked.namespace,
    service: options.service ?? asked.service,
    slo: options.slo ?? asked.slo,
  }
  const read = await readRequests(run, originEpochMs(meta), meta.parts)
  const slices = slicesOf(read)
  const series = await readServerSeries(run, slices)
  // What the file itself says counts first.
  const cluster = await readClusterRecord(run)
  const coldSpans = read.hasColdStarts ? null : coldSpansOf(read, series, cluster)
  const table = coldSpans === null ? read : markCold(read, coldSpans)
  const measured = measuredRequests(table)
  const windows = measureWindows(measured, meta)
  // A load that was to change is not steady.
  const stability = meta.pattern === 'stages' ? null : stabilityOf(measured, windows)
  const arrivals = await readTokenArrivals(run, measured, windows, slices)
  const distributions = distributionsOf(measured, arrivals.maxGapUs, meta.mode, windows)
  const span = wholeSpan(measured)
  const tokens = tokenTotals(measured)
  const prometheus = await readPrometheusWindow(run)
  const resources = withPrometheus(await readResources(run), prometheus)
  const overTime = timeline(measured, arrivals, slices, series)
  const inWindow = windowFigures(measured, windows, arrivals.tokensInWindow, distributions.e2e.summary.mean)
  const server = serverFigures({
    series,
    windows,
    ttftP95BySlice: overTime.ttft_p95_ms,
    ttftMeanMs: distributions.ttft.summary.mean,
    requestsPerSecond: inWindow.requestsPerSecond,
    kvCacheUsageMax: resources.kvCacheUsageMax,
  })
  const isOpen = meta.mode === 'open'
  const tenants = tenantGroups(measured, isOpen)
  const fairness = fairnessOf(tenants)
  const probe = await readIoProbe(run)
  const pricing = await readPricing(run)
  const ran = span.startMs === null || span.endMs === null ? [] : table.wallSpans(span.startMs, span.endMs)
  const held = pricing && heldOver(pricing, ran)
  const cost = costFigures(held, {
    seconds: span.seconds,
    successes: measured.successes,
    promptTokens: tokens.prompt,
    completionTokens: tokens.completion,
  })
  const energy = energyFigures(await readEnergy(run, span, prometheus), {
    successes: measured.successes,
    promptTokens: tokens.prompt,
    completionTokens: tokens.completion,
  })
  const flat = flatKeys({
    measured,
    distributions,
    span,
    completionTokens: tokens.completion,
    resources,
    probe,
    cost,
    energy: energy.flat,
    coldSpans,
    coldCosts: coldCosts(cost.flat.total_cost, pricing && startCost(pricing, ran), measured),
    fairness,
  })
  const instrument = instrumentOf(meta, distributions)
  const instrumentFigures = {
    latenessP99Ms: instrument?.lateness_p99_ms ?? distributions.queueClient.summary.percentiles.p99,
    ttftErrorP99Ms: instrument?.ttft_error_p99_ms ?? null,
    gapErrorP99Ms: instrument?.gap_error_p99_ms ?? null,
    ttftP50Ms: distributions.ttft.summary.percentiles.p50,
    iclP50Ms: millis(arrivals.icl.percentile(0.5)),
  }
  const limits = clientLimits(instrumentFigures)
  const counted = tokensSourcesOf(measured)
  const tokensSources = Object.fromEntries(counted)
  const seed = seedBlocks(meta, measured, flat, resources, cost.block)
  const {success_rate} = seed.performance
  const results: RunResults = {
    schema_version: 1,
    run_id: meta.run_id ?? run.runId,
    status: meta.status,
    mode: meta.mode,
    ...seed,
    ...flat,
    energy: energy.block,
    ...energy.own,
    prompt_tokens_total: tokens.prompt,
    completion_tokens_total: tokens.completion,
    tokens_source: leastTrusted(counted.keys()),
    tokens_sources: tokensSources,
    send_lag_p95_ms: rounded(distributions.sendLag.summary.percentiles.p95),
    // Gaps between chunks, as upstream's readers and vLLM understand the name.
    itl_p50_ms: rounded(millis(arrivals.icl.percentile(0.5))),
    itl_p95_ms: rounded(millis(arrivals.icl.percentile(0.95))),
    itl_p99_ms: rounded(millis(arrivals.icl.percentile(0.99))),
    tpot_p50_ms: rounded(distributions.tpot.summary.percentiles.p50),
    tpot_p95_ms: rounded(distributions.tpot.summary.percentiles.p95),
    itl_estimated: arrivals.isItlEstimated,
    measure_window: windowJson(windows),
    metrics: {
      ...metricsBlock({
        measured,
        distributions,
        arrivals,
        window: inWindow,
        span,
        completionTokens: tokens.completion,
        resources,
        rates: rateIntervals(overTime, windows, distributions),
      }),
      ...energy.metrics,
      ...goodputBlock(measured, arrivals.maxGapUs, windows, meta.slo, meta.mode),
    },
    outcomes: countNames(measured, table.outcome, table.outcomeNames),
    finish_reasons: countNames(measured, table.finishReason, table.finishReasonNames),
    timeline: overTime,
    server,
    prometheus: prometheus && prometheusBlock(prometheus),
    phases: phaseGroups(measured, windows, isOpen),
    tenants,
    fairness,
    stages: stageGroups(measured, meta),
    cold_spans:
      coldSpans?.map(({fromMs, toMs, kind}) => ({
        start_seconds: rounded(fromMs / 1000)!,
        end_seconds: rounded(toMs / 1000)!,
        kind,
      })) ?? null,
    validation: validationJson({...flat, success_rate}, meta.profile),
    stability,
    instrument,
    client_limited: limits.length > 0,
    unavailable: unavailable(
      whyUnpriced(held),
      resources.cpuCores === null && resources.gpuUtilization === null,
      energy.block.total_energy_wh === null,
    ),
    warnings: doubts({
      meta,
      hasMeta: stored !== null,
      measured,
      arrivals,
      resources,
      tokensSources,
      isUnstable: stability?.is_unstable === true,
      clientLimits: limits,
      clientAdvice:
        limits.length > 0 ? clientAdvice(instrumentFigures, instrument, meta.client?.cpus ?? null) : '',
      pricing,
      server,
    }),
  }
  return {results, analysis: analysisOf(measured, distributions, results), held}
}

/** Intervals of rates from the slices that lie wholly in the window. */
function rateIntervals(
  {slice_seconds: seconds, requests_completed: requests, tokens}: RunResults['timeline'],
  windows: readonly MeasureWindow[],
  {e2e}: Distributions,
): {requests: readonly [number, number] | null; tokens: readonly [number, number] | null} {
  const [window] = windows
  if (window === undefined || windows.length > 1) return {requests: null, tokens: null}
  const from = Math.ceil(window.fromMs / 1000 / seconds)
  const to = Math.floor(window.toMs / 1000 / seconds)
  const most = mostBatches(windows, e2e.sorted)
  const interval = (counts: readonly number[]) => rateIntervalOf(counts.slice(from, to), seconds, most)
  return {requests: interval(requests), tokens: interval(tokens)}
}

function analysisOf(
  measured: MeasuredRequests,
  distributions: Distributions,
  results: RunResults,
): RunAnalysis {
  const {sorted} = distributions.bodyLatency
  return {
    summary: {
      total_requests: measured.total,
      successful_requests: measured.successes,
      failed_requests: measured.total - measured.successes,
      success_rate: results.performance.success_rate,
    },
    latency: {
      percentiles: {
        p50: results.p50_ms,
        p90: rounded(percentile(sorted, 0.9)),
        p95: results.p95_ms,
        p99: results.p99_ms,
      },
      histogram: niceBins(sorted),
    },
    throughput: {requests_per_second: results.throughput_rps, tokens_per_second: results.tokens_per_sec},
    errors: errorList(measured),
  }
}

function instrumentOf(meta: RunMeta, {queueClient}: Distributions): RunResults['instrument'] {
  const fromRecords = rounded(queueClient.summary.percentiles.p99)
  return (
    meta.instrument && {...meta.instrument, lateness_p99_ms: meta.instrument.lateness_p99_ms ?? fromRecords}
  )
}

/** How many successful requests were counted in each way. Files of other tools do not say it: there it was their server. */
function tokensSourcesOf({table, sentRows}: MeasuredRequests): ReadonlyMap<TokensSource, number> {
  const counts = new Map<TokensSource, number>()
  for (const row of sentRows) {
    if (table.outcome[row] !== 0 || table.completionTokens[row]! < 0) continue
    const name = table.tokensSourceNames[table.tokensSource[row]!]
    const source = TOKENS_SOURCES.find(known => known === name) ?? 'usage'
    counts.set(source, (counts.get(source) ?? 0) + 1)
  }
  return counts
}

function countNames(
  {table}: MeasuredRequests,
  codes: Uint8Array,
  names: readonly string[],
): Record<string, number> {
  const counts = new Array<number>(names.length).fill(0)
  for (let row = 0; row < table.count; row++) if (table.isWarmup[row] === 0) counts[codes[row]!]!++
  return Object.fromEntries(
    names.flatMap((name, code) =>
      name === '' || counts[code] === 0 ? [] : [[name, counts[code]!] as const],
    ),
  )
}

function windowJson(windows: readonly MeasureWindow[]): RunResults['measure_window'] {
  const [first, last] = [windows[0], windows.at(-1)]
  if (first === undefined || last === undefined) return null
  return {
    start_seconds: rounded(first.fromMs / 1000)!,
    end_seconds: rounded(last.toMs / 1000)!,
    seconds: rounded(lengthMs(windows) / 1000)!,
    rule: first.rule,
  }
}

/** Why the cost is null; null when it is known. */
function whyUnpriced(pricing: Pricing | null): string | null {
  if (pricing === null) return 'no prices were given'
  if (pricing.gpus.every(({hourly}) => hourly !== null)) return null
  return pricing.warnings.find(({code}) => code === 'gpu_price_unknown')?.message ?? 'a GPU has no price'
}

function unavailable(
  costReason: string | null,
  areResourcesUnknown: boolean,
  isEnergyUnknown: boolean,
): Record<string, string> {
  return {
    ...(costReason !== null && {cost: costReason}),
    ...(isEnergyUnknown && {energy: 'no counter of energy and no power was seen for 80 % of the run'}),
    ...(areResourcesUnknown && {resources: 'nothing looked at GPU, processor or memory of the server'}),
  }
}

function millis(us: number | null): number | null {
  return us === null ? null : us / 1000
}
