import {percentile} from '../metrics/index.js'

/** A point of a quantile curve: `fraction` of all samples are at or below `value`. */
export interface QuantilePoint {
  readonly fraction: number
  readonly value: number
}

/** How far up a distribution of `count` samples can be read: 99.5 %, then a nine more for every tenfold. */
export function topFraction(count: number): number {
  const nines = Math.max(2, Math.min(4, Math.floor(Math.log10(Math.max(1, count)))))
  return 1 - 0.5 * 10 ** -nines
}

/** Height of a fraction on a scale that gives each further nine the same room: 0 → 0, 90 % → 1, 99 % → 2. */
export function nines(fraction: number): number {
  return -Math.log10(1 - fraction)
}

/**
 * The quantile curve of a distribution at `points` heights evenly spaced on the scale of `nines`; every point is an exact
 * quantile of all samples, so drawing fewer points than samples moves none of them.
 */
export function quantileCurve(
  sorted: ArrayLike<number>,
  upTo: number,
  points: number,
): readonly QuantilePoint[] {
  if (sorted.length === 0) return []
  const top = nines(upTo)
  return Array.from({length: points}, (_, at) => {
    const fraction = 1 - 10 ** -((at / (points - 1)) * top)
    return {fraction, value: percentile(sorted, fraction)!}
  })
}
