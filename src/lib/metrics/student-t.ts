import {incompleteBeta} from './incomplete-beta.js'

/** Two-sided p-value of a t statistic. @param freedom degrees of freedom, above 0 */
export function studentP(t: number, freedom: number): number {
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5)
}

/** The t beyond which both tails together hold `alpha`. */
export function studentQuantile(alpha: number, freedom: number): number {
  let [low, high] = [0, 1e3]
  for (let step = 0; step < 80; step++) {
    const middle = (low + high) / 2
    if (studentP(middle, freedom) > alpha) low = middle
    else high = middle
  }
  return (low + high) / 2
}
