import {effectiveCount, lag1Autocorrelation} from './autocorrelation.js'
import {percentile} from './percentile.js'
import {sortSamples} from './sort-samples.js'
import {percentileRanks, samplesNeeded} from './percentile-interval.js'

/** The percentiles that every distribution is given with, by their key in files. */
export const PERCENTILES = {
  p1: 0.01,
  p5: 0.05,
  p10: 0.1,
  p25: 0.25,
  p50: 0.5,
  p75: 0.75,
  p90: 0.9,
  p95: 0.95,
  p99: 0.99,
  p99_9: 0.999,
} as const
/** `p50` and so on. */
export type PercentileName = keyof typeof PERCENTILES
export const PERCENTILE_NAMES = Object.keys(PERCENTILES) as PercentileName[]
export const CONFIDENCE = 0.95

/** 95 % interval; null at an end that no sample bounds. */
export type Interval = readonly [lower: number | null, upper: number | null]

/** A distribution in the unit of its samples. */
export interface Summary {
  readonly count: number
  /** Independent samples that `count` is worth; null where samples are not independent by nature. */
  readonly effectiveCount: number | null
  readonly mean: number | null
  /** Sample standard deviation, n − 1. */
  readonly std: number | null
  readonly min: number | null
  readonly max: number | null
  readonly percentiles: Readonly<Record<PercentileName, number | null>>
  readonly intervals: Readonly<Record<PercentileName, Interval>> | null
  /** Percentiles whose outer bound cannot exist with so few samples. */
  readonly tooFewFor: readonly PercentileName[]
}

/**
 * Summarises one sample a request.
 *
 * @param samples in order of sending, which the autocorrelation needs; sorted in place
 * @param beyond further samples known only to lie above all others (requests that were never sent): they count in the
 *   percentiles and leave mean, deviation and maximum unknown
 */
export function summarize(samples: Float64Array, beyond = 0): Summary {
  const count = samples.length + beyond
  const {mean, std} = moments(samples)
  const independent = effectiveCount(count, lag1Autocorrelation(samples))
  sortSamples(samples)
  const sorted = beyond === 0 ? samples : withInfinities(samples, beyond)
  const at = (rank: number | null): number | null =>
    finiteOrNull(rank === null ? undefined : sorted[rank - 1])
  return {
    count,
    effectiveCount: independent,
    mean: beyond > 0 ? null : mean,
    std: beyond > 0 ? null : std,
    min: at(1),
    max: at(count),
    percentiles: perPercentile(q => percentile(sorted, q)),
    intervals: perPercentile(q => {
      const {lower, upper} = percentileRanks(independent, q, CONFIDENCE)
      const scale = count / independent
      return [
        at(lower === null ? null : Math.max(1, Math.floor(lower * scale))),
        at(upper === null ? null : Math.min(count, Math.ceil(upper * scale))),
      ]
    }),
    tooFewFor: percentilesTooFewFor(independent),
  }
}

/** Percentiles whose outer bound cannot exist at 95 % with `count` independent samples. */
export function percentilesTooFewFor(count: number): PercentileName[] {
  return PERCENTILE_NAMES.filter(name => count < samplesNeeded(PERCENTILES[name], CONFIDENCE))
}

/** One value for every standard percentile. */
export function perPercentile<T>(value: (q: number) => T): Record<PercentileName, T> {
  return Object.fromEntries(PERCENTILE_NAMES.map(name => [name, value(PERCENTILES[name])])) as Record<
    PercentileName,
    T
  >
}

/** Mean, and standard deviation with n − 1, in two passes. */
export function moments(samples: ArrayLike<number>): {mean: number | null; std: number | null} {
  const n = samples.length
  if (n === 0) return {mean: null, std: null}
  let sum = 0
  for (let index = 0; index < n; index++) sum += samples[index]!
  const mean = sum / n
  let squares = 0
  for (let index = 0; index < n; index++) squares += (samples[index]! - mean) ** 2
  return {mean, std: n < 2 ? null : Math.sqrt(squares / (n - 1))}
}

function withInfinities(sorted: Float64Array, beyond: number): Float64Array {
  const all = new Float64Array(sorted.length + beyond).fill(Infinity)
  all.set(sorted)
  return all
}

function finiteOrNull(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value
}
