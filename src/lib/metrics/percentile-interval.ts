import {binomialCdf} from './binomial.js'

/** 1-based ranks of the samples that bound a percentile; null where no sample bounds it. */
export interface IntervalRanks {
  readonly lower: number | null
  readonly upper: number | null
}

/**
 * Distribution-free interval of a percentile: the largest rank l with P(X ≤ l − 1) ≤ α/2 and the smallest rank u with
 * P(X ≤ u − 1) ≥ 1 − α/2, where X ~ Binomial(n, q) counts the samples below the percentile.
 *
 * @param confidence 1 − α, such as 0.95
 * @see Hahn and Meeker, Statistical Intervals, 1991, section 5.2
 */
export function percentileRanks(n: number, q: number, confidence: number): IntervalRanks {
  const tail = (1 - confidence) / 2
  // P(X ≤ k) grows with k: both ranks are found by bisection.
  const firstAbove = (isReached: (cdf: number) => boolean): number => {
    let [low, high] = [0, n]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (isReached(binomialCdf(middle, n, q))) high = middle
      else low = middle + 1
    }
    return low
  }
  const lower = firstAbove(cdf => cdf > tail)
  const upper = firstAbove(cdf => cdf >= 1 - tail) + 1
  return {lower: lower >= 1 ? lower : null, upper: upper <= n ? upper : null}
}

/**
 * How many samples a percentile needs so that its outer bound exists: n ≥ ln(1 − c) / ln(q), with 1 − q for percentiles
 * below the median.
 */
export function samplesNeeded(q: number, confidence: number): number {
  return Math.ceil(Math.log(1 - confidence) / Math.log(Math.max(q, 1 - q)))
}
