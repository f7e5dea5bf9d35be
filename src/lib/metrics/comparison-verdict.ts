import type {RatioEstimate} from './compare-samples.js'

export type Verdict = 'PASS' | 'FAIL' | 'INCONCLUSIVE'

/** One figure that is gated; larger is worse. */
export interface GatedRatio {
  readonly estimate: RatioEstimate | null
  /** How much worse it may be, as a share: 0.05 is 5 %. */
  readonly tolerance: number
}

const ALPHA = 0.05

/**
 * FAIL: worse by more than the tolerance, and no chance by Holm's correction over all figures. PASS: the whole interval lies
 * within the tolerance; being better never fails. INCONCLUSIVE: neither, so the data are too few or too noisy.
 *
 * @see S. Holm, "A simple sequentially rejective multiple test procedure", 1979
 */
export function comparisonVerdicts(figures: readonly GatedRatio[]): Verdict[] {
  const significant = holm(figures.map(({estimate}) => (estimate === null ? 1 : chanceOfWorse(estimate))))
  return figures.map(({estimate, tolerance}, index) => {
    if (estimate === null) return 'INCONCLUSIVE'
    const [low, high] = estimate.interval
    if (significant[index]! && low > 1 && estimate.ratio > 1 + tolerance) return 'FAIL'
    return high <= 1 + tolerance ? 'PASS' : 'INCONCLUSIVE'
  })
}

/**
 * A gate asks one question, whether it is worse, so runs are tested on that side alone: with four of them the other side costs
 * a tenth of the changes of 10 %. Blocks of one run still resemble each other a little; there both sides count.
 */
function chanceOfWorse({ratio, p, isByRun}: RatioEstimate): number {
  if (!isByRun) return p
  return ratio > 1 ? p / 2 : 1 - p / 2
}

/** Which of several p-values count when all of them together may raise a false alarm in 5 % of cases. */
export function holm(values: readonly number[]): boolean[] {
  const order = values.map((p, index) => ({p, index})).sort((left, right) => left.p - right.p)
  const result = values.map(() => false)
  for (const [rank, {p, index}] of order.entries()) {
    if (p > ALPHA / (values.length - rank)) break
    result[index] = true
  }
  return result
}
