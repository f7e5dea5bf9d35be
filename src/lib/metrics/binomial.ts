import {incompleteBeta} from './incomplete-beta.js'

/**
 * P(X ≤ k) for X ~ Binomial(n, q), through the regularised incomplete beta function: I₁₋q(n − k, k + 1).
 *
 * @see DLMF 8.17.5
 */
export function binomialCdf(k: number, n: number, q: number): number {
  if (k < 0) return 0
  if (k >= n) return 1
  return incompleteBeta(1 - q, n - k, k + 1)
}
