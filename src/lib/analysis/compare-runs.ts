import {isDeepStrictEqual} from 'node:util'
import {ConfigurationError} from '../foundation/index.js'
import {
  compareSamples,
  comparisonVerdicts,
  e2eMs,
  e2eSchedMs,
  percentile,
  tpotMs,
  ttftMs,
  ttftSchedMs,
  type RequestTimes,
  type Verdict,
} from '../metrics/index.js'
import {
  leastTrusted,
  readMeta,
  readRequests,
  type RunDirectory,
  type RunMeta,
  type RunResults,
  type TokensSource,
} from '../runs/index.js'
import {computeRunFigures} from './analyze-run.js'
import {measuredRequests, samplesOf, type MeasuredRequests} from './measured-requests.js'
import {rounded} from './rounding.js'

export const COMPARED_METRICS = ['ttft', 'tpot', 'e2e', 'ttft_sched', 'e2e_sched'] as const
export type ComparedMetric = (typeof COMPARED_METRICS)[number]

/** A figure by which runs are compared, such as the 95th percentile of TTFT. */
export interface ComparedFigure {
  readonly metric: ComparedMetric
  /** 0–100 */
  readonly percentile: number
}

export interface CompareOptions {
  /** null takes median and p95 of TTFT and E2E and the median of TPOT, from the schedule in an open loop. */
  readonly figures: readonly ComparedFigure[] | null
  /** How much worse a figure may be, as a share. */
  readonly tolerance: number
  /** Compare runs of different workloads all the same. */
  readonly isForced: boolean
}

interface SideJson {
  readonly runs: readonly string[]
  readonly requests: number
  readonly successes: number
  readonly error_rate: number | null
  readonly throughput_rps: number | null
  readonly client_limited: boolean
  /** The least trusted of its runs' token counts. */
  readonly tokens_source: TokensSource
}

/** `kvctl compare --json`. */
export interface ComparisonJson {
  readonly schema_version: 1
  readonly verdict: Verdict
  readonly baseline: SideJson
  readonly candidate: SideJson
  /** Settings in which the plans differ, seeds and what was found out about the server left out. */
  readonly differences: readonly string[]
  readonly figures: readonly {
    readonly metric: string
    readonly stat: string
    readonly unit: string
    readonly baseline: number | null
    readonly candidate: number | null
    readonly ratio: number | null
    /** Of the ratio. */
    readonly ci95: readonly [number, number] | null
    readonly p: number | null
    readonly tolerance: number
    /** The smallest change that the data would have shown four times in five, as a share. */
    readonly detectable: number | null
    readonly verdict: Verdict
    readonly reason: string
  }[]
}

const METRICS: Readonly<
  Record<ComparedMetric, {unit: string; of: (request: RequestTimes) => number | null}>
> = {
  ttft: {unit: 'ms', of: ttftMs},
  tpot: {unit: 'ms/token', of: tpotMs},
  e2e: {unit: 'ms', of: e2eMs},
  ttft_sched: {unit: 'ms', of: ttftSchedMs},
  e2e_sched: {unit: 'ms', of: e2eSchedMs},
}
/** What two plans may differ in and still send the same load: the server's own words, which prompts were drawn, who counts. */
const FREE_KEYS: ReadonlySet<string> = new Set([
  'model',
  'prompt_words',
  'tokens_per_word',
  'overhead_tokens',
  'prompt_seed',
  'headers',
  'tokenizer',
  'sha256',
])
/** Fixed, so that the same runs always compare alike. */
const SEED = 42

interface Side {
  readonly json: SideJson
  readonly metas: readonly RunMeta[]
  samples(metric: ComparedMetric): Float64Array[]
}

/**
 * Compares runs of one workload by per-request data; several runs of a side are several samples of it.
 *
 * @throws ConfigurationError `WORKLOADS_DIFFER` unless forced, `RUN_UNREADABLE`; ResourceError `RUN_INCOMPLETE`
 */
export async function compareRuns(
  baseline: readonly RunDirectory[],
  candidate: readonly RunDirectory[],
  options: CompareOptions,
): Promise<ComparisonJson> {
  const [one, other] = [await readSide(baseline), await readSide(candidate)]
  const [first, ...rest] = [...one.metas, ...other.metas]
  const differences = [...new Set(rest.flatMap(meta => planDifferences(first!, meta)))].sort()
  if (differences.length > 0 && !options.isForced) {
    throw new ConfigurationError(
      'WORKLOADS_DIFFER',
      `the runs were planned with other values of: ${differences.join(', ')}`,
      {
        suggestions: ['compare runs of one workload', '--force compares them all the same'],
      },
    )
  }
  const isOpen = [...one.metas, ...other.metas].every(({mode}) => mode === 'open')
  const wanted = options.figures ?? defaultFigures(isOpen)
  const concurrency = Math.max(1, ...one.metas.map(meta => meta.concurrency ?? 1))
  const figures = wanted.map(figure => {
    const sides = [one.samples(figure.metric), other.samples(figure.metric)] as const
    const quantile = figure.percentile / 100
    const estimate = compareSamples(...sides, {quantile, concurrency, seed: SEED})
    const [before, after] = sides.map(runs =>
      percentile(Float64Array.from(runs.flatMap(run => [...run])).sort(), quantile),
    )
    return {figure, estimate, before: before ?? null, after: after ?? null}
  })
  const {tolerance} = options
  const isLimited = one.json.client_limited || other.json.client_limited
  const verdicts = comparisonVerdicts(figures.map(({estimate}) => ({estimate, tolerance})))
  const judged = figures.map(({figure, estimate, before, after}, index) => ({
    metric: figure.metric,
    stat: `p${figure.percentile}`,
    unit: METRICS[figure.metric].unit,
    baseline: rounded(before),
    candidate: rounded(after),
    ratio: estimate && estimate.ratio,
    ci95: estimate && estimate.interval,
    p: estimate && estimate.p,
    tolerance,
    detectable: estimate && estimate.detectable,
    ...withCounts(
      figure.metric === 'tpot' ? [one, other] : null,
      explain(verdicts[index]!, estimate !== null, isLimited),
    ),
  }))
  return {
    schema_version: 1,
    verdict: worstOf(judged.map(({verdict}) => verdict)),
    baseline: one.json,
    candidate: other.json,
    differences,
    figures: judged,
  }
}

function defaultFigures(isOpen: boolean): ComparedFigure[] {
  const [ttft, e2e] = isOpen ? (['ttft_sched', 'e2e_sched'] as const) : (['ttft', 'e2e'] as const)
  return [
    {metric: ttft, percentile: 50},
    {metric: ttft, percentile: 95},
    {metric: 'tpot', percentile: 50},
    {metric: e2e, percentile: 50},
    {metric: e2e, percentile: 95},
  ]
}

/** A run that its client limited shows nothing of the server. */
function explain(verdict: Verdict, isKnown: boolean, isLimited: boolean): {verdict: Verdict; reason: string} {
  if (!isKnown) return {verdict: 'INCONCLUSIVE', reason: 'too few requests have it'}
  if (isLimited) return {verdict: 'INCONCLUSIVE', reason: 'the load generator was a limit'}
  switch (verdict) {
    case 'FAIL':
      return {verdict, reason: 'worse than the tolerance allows'}
    case 'PASS':
      return {verdict, reason: 'no worse than the tolerance allows'}
    case 'INCONCLUSIVE':
      return {verdict, reason: 'the interval reaches beyond the tolerance: more requests or runs would tell'}
  }
}

/** Times per token compare only where both sides have their tokens from one place. @param sides null for a figure without tokens */
function withCounts(
  sides: readonly [Side, Side] | null,
  explained: {verdict: Verdict; reason: string},
): {verdict: Verdict; reason: string} {
  if (sides === null) return explained
  const [from, other] = sides.map(({json}) => json.tokens_source.replace('_', ' '))
  if (from !== other) {
    return {verdict: 'INCONCLUSIVE', reason: `tokens come from ${from} before and from ${other} after`}
  }
  if (from === 'tokenizer' && new Set(sides.flatMap(({metas}) => metas.map(tokenizerDigest))).size > 1)
    return {verdict: 'INCONCLUSIVE', reason: 'tokens come from different tokenizers'}
  return from === 'usage' || from === 'none'
    ? explained
    : {...explained, reason: `${explained.reason}; tokens from ${from}`}
}

function tokenizerDigest({plan}: RunMeta): string | null {
  return (plan?.['tokenizer'] as {readonly sha256?: string} | null | undefined)?.sha256 ?? null
}

function worstOf(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('FAIL')) return 'FAIL'
  return verdicts.every(verdict => verdict === 'PASS') ? 'PASS' : 'INCONCLUSIVE'
}

interface ReadRun {
  readonly meta: RunMeta
  readonly measured: MeasuredRequests
  readonly results: RunResults
}

async function readRun(run: RunDirectory): Promise<ReadRun> {
  const meta = await readMeta(run)
  const measured = measuredRequests(await readRequests(run, meta.origin_epoch_ms, meta.parts))
  const {results} = await computeRunFigures(run)
  return {meta, measured, results}
}

async function readSide(runs: readonly RunDirectory[]): Promise<Side> {
  const read: ReadRun[] = []
  // One after another: a run of a million requests takes some hundred megabytes while it is read.
  for (const run of runs) read.push(await readRun(run))
  const sum = (value: (one: ReadRun) => number): number => read.reduce((total, one) => total + value(one), 0)
  const [requests, successes] = [sum(({measured}) => measured.total), sum(({measured}) => measured.successes)]
  const rates = read.map(({results}) => results.throughput_rps)
  return {
    metas: read.map(({meta}) => meta),
    samples: metric => read.map(({measured}) => samplesOf(measured, METRICS[metric].of)),
    json: {
      runs: runs.map(({path}) => path),
      requests,
      successes,
      error_rate: requests === 0 ? null : (requests - successes) / requests,
      throughput_rps: rates.includes(null)
        ? null
        : rounded(rates.reduce<number>((total, rate) => total + rate!, 0) / rates.length),
      client_limited: read.some(({results}) => results.client_limited),
      tokens_source: leastTrusted(read.map(({results}) => results.tokens_source)),
    },
  }
}

function planDifferences(left: RunMeta, right: RunMeta): string[] {
  const [one, other] = [left.plan, right.plan]
  // Other tools' runs have no plan: what they say of themselves must do.
  if (one === null || other === null) {
    const said = ['requests', 'concurrency', 'pattern', 'max_tokens'] as const
    return said.filter(name => left[name] !== right[name])
  }
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].filter(name => !FREE_KEYS.has(name) && !isDeepStrictEqual(one[name], other[name]))
}
