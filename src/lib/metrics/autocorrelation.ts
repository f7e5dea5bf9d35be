/**
 * Lag-1 autocorrelation of samples in the order in which they arose: Σ (xᵢ − x̄)(xᵢ₊₁ − x̄) / Σ (xᵢ − x̄)².
 *
 * @returns null with fewer than three samples or when all are equal
 */
export function lag1Autocorrelation(samples: ArrayLike<number>): number | null {
  const n = samples.length
  if (n < 3) return null
  let sum = 0
  for (let index = 0; index < n; index++) sum += samples[index]!
  const mean = sum / n
  let products = 0
  let squares = 0
  for (let index = 0; index < n; index++) {
    const deviation = samples[index]! - mean
    squares += deviation * deviation
    if (index + 1 < n) products += deviation * (samples[index + 1]! - mean)
  }
  return squares === 0 ? null : products / squares
}

/**
 * How many independent samples n correlated ones are worth: n (1 − ρ) / (1 + ρ) above ρ = 0.1, else n.
 *
 * @see Bayley and Hammersley 1946, for a first-order autoregressive series
 */
export function effectiveCount(n: number, lag1: number | null): number {
  return lag1 === null || lag1 <= 0.1 ? n : Math.max(1, Math.floor((n * (1 - lag1)) / (1 + lag1)))
}
