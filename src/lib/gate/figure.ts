import {readFile, stat} from 'node:fs/promises'
import * as z from 'zod'
import {ConfigurationError, isSystemError, ResourceError} from '../foundation/index.js'
import type {Objective} from './objective.js'

const MAX_BYTES = 64 * 2 ** 20

const intervalSchema = z.tuple([z.number(), z.number().nullable()])
const figureSchema = z.looseObject({
  unit: z.string().optional(),
  value: z.number().nullish(),
  count: z.number().nullish(),
  ci95: z.union([z.record(z.string(), intervalSchema), intervalSchema]).nullish(),
  mean_ci95: intervalSchema.nullish(),
  too_few_for: z.array(z.string()).nullish(),
})
const resultsSchema = z.looseObject({
  run_id: z.string().optional(),
  client_limited: z.boolean().optional(),
  mode: z.string().nullish(),
  tokens_source: z.string().nullish(),
  stability: z.looseObject({is_unstable: z.boolean()}).nullish(),
  metrics: z.record(z.string(), figureSchema).optional(),
})

/** What a gate needs of a results.json: kvctl's own, or the flat one of kserve-vllm-mini. */
export type GatedResults = z.output<typeof resultsSchema>

/** A figure of a run, and how sure it is. */
export interface GatedFigure {
  /** Null when the run has none. */
  readonly value: number | null
  readonly unit: string | null
  /** 95 %; its upper end is null where it lies beyond the largest sample. Null without an interval. */
  readonly interval: readonly [number, number | null] | null
  readonly count: number | null
  /** The percentile is bounded by no sample. */
  readonly hasTooFew: boolean
  /** Counted from when a request was due, not from when it was sent. */
  readonly isFromSchedule: boolean
  /** Who counted the tokens that it is made of; null where it was the server, or it is made of none. */
  readonly tokensFrom: string | null
}

/** Flat keys that are a percentile of a distribution, whose interval is then known. */
const FLAT_PERCENTILE = /^(?:(ttft|ttfb|tpot|itl)_)?(p50|p95|p99)_ms$/
const DISTRIBUTIONS: Readonly<Record<string, string>> = {itl: 'icl'}

/** @throws ResourceError `RESULTS_NOT_FOUND`; ConfigurationError `RESULTS_INVALID` */
export async function readGatedResults(path: string): Promise<GatedResults> {
  let text: string
  try {
    if ((await stat(path)).size > MAX_BYTES) throw invalid(path, `more than ${MAX_BYTES} bytes`)
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES')) throw error
    throw new ResourceError('RESULTS_NOT_FOUND', `cannot read ${path}: ${error.message}`, {
      cause: error,
      suggestions: ['kvctl analyze, which writes results.json into a run directory'],
    })
  }
  try {
    return gatedResultsOf(JSON.parse(text))
  } catch (error) {
    throw invalid(path, error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message)
  }
}

/** What a gate needs of results that are at hand. @throws ZodError */
export function gatedResultsOf(results: unknown): GatedResults {
  return resultsSchema.parse(results)
}

/** Times of a request that are told from its schedule too. */
const SCHEDULED: ReadonlySet<string> = new Set(['ttft', 'e2e'])

/**
 * The figure that an objective is about. Where requests had a schedule, times count from it, as users wait, unless the objective
 * says otherwise: the same rule as that of goals of single requests.
 *
 * @throws ConfigurationError `SLO_INVALID` for a distribution of which no part is named
 */
export function findFigure(results: GatedResults, objective: Objective): GatedFigure {
  const {tokens_source: source} = results
  const isCounted = source != null && source !== 'usage' && OF_TOKENS.test(objective.metric)
  return {...figureOf(results, objective), tokensFrom: isCounted ? source : null}
}

const OF_TOKENS =
  /^(?:tpot|itl|norm_latency|decode_speed|e2e_speed|output_throughput|peak_output_tps)$|token|cost_per_1/

type UncountedFigure = Omit<GatedFigure, 'tokensFrom'>

function figureOf(results: GatedResults, {metric, statistic, on, text}: Objective): UncountedFigure {
  const [, family, percentile] = FLAT_PERCENTILE.exec(metric) ?? []
  if (statistic === null && percentile !== undefined) {
    const flat = numberOrNull(results[metric])
    const sampled = sampledFigure(results, DISTRIBUTIONS[family ?? ''] ?? family ?? 'latency', percentile)
    return flat === null ? sampled : {...sampled, value: flat, unit: 'ms'}
  }
  const single = results.metrics?.[metric]
  if (statistic === null && single?.count != null) {
    throw new ConfigurationError('SLO_INVALID', `'${text}' does not say which part of ${metric} it limits`, {
      suggestions: [`p95(${metric}) …, or mean, p50, p99, max`],
    })
  }
  if (statistic !== null) {
    const scheduled = `${metric}_sched`
    const isScheduled =
      on === null &&
      results.mode === 'open' &&
      SCHEDULED.has(metric) &&
      results.metrics?.[scheduled] !== undefined
    return sampledFigure(results, isScheduled ? scheduled : metric, statistic)
  }
  const value = single?.value ?? derived(results, metric) ?? numberOrNull(results[metric])
  return {...NOTHING, value, unit: single?.unit ?? null, interval: intervalOf(single?.ci95, null)}
}

const NOTHING: UncountedFigure = {
  ...{value: null, unit: null, interval: null, count: null},
  ...{hasTooFew: false, isFromSchedule: false},
}

function sampledFigure({metrics}: GatedResults, name: string, statistic: string): UncountedFigure {
  const found = metrics?.[name]
  return {
    value: numberOrNull(found?.[statistic]),
    unit: found?.unit ?? null,
    interval: statistic === 'mean' ? (found?.mean_ci95 ?? null) : intervalOf(found?.ci95, statistic),
    count: found?.count ?? null,
    hasTooFew: found?.too_few_for?.includes(statistic) ?? false,
    isFromSchedule: name.endsWith('_sched'),
  }
}

/** A distribution has an interval for each of its parts, a single figure one. */
function intervalOf(
  ci95: z.output<typeof figureSchema>['ci95'],
  statistic: string | null,
): GatedFigure['interval'] {
  if (ci95 == null) return null
  if (Array.isArray(ci95)) return statistic === null ? ci95 : null
  return statistic === null ? null : (ci95[statistic] ?? null)
}

/** Figures that no file states as they are asked for. */
function derived(results: GatedResults, metric: string): number | null {
  const of = (key: string): number | null => numberOrNull(results[key])
  switch (metric) {
    case 'cold_multiplier': {
      const [cold, warm] = [of('cold_p95_ms'), of('warm_p95_ms')]
      return cold === null || warm === null || warm === 0 ? null : cold / warm
    }
    case 'cost_per_1m_output': {
      const cost = of('cost_per_1k_output_tokens')
      return cost === null ? null : cost * 1000
    }
    case 'success_rate': {
      const failed = of('error_rate')
      return failed === null ? null : 1 - failed
    }
    default:
      return null
  }
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}

function invalid(path: string, why: string): ConfigurationError {
  return new ConfigurationError('RESULTS_INVALID', `${path} is no result of a run: ${why.split('\n')[0]!}`)
}
