import {studentQuantile} from './student-t.js'

/** How much a figure grows over a window. */
export interface Trend {
  /** Growth from the window's start to its end, as a share of the mean. */
  readonly slope: number
  /** 95 % interval of it. */
  readonly interval: readonly [low: number, high: number]
}

const ALPHA = 0.05

/**
 * Straight line through the values of equal parts of a window, by least squares.
 *
 * @param values one a part, in order
 * @returns null with fewer than four values, or a mean of 0
 */
export function trendOf(values: readonly number[]): Trend | null {
  const n = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  if (n < 4 || mean === 0) return null
  const middle = (n - 1) / 2
  let [products, squares] = [0, 0]
  for (const [index, value] of values.entries()) {
    products += (index - middle) * (value - mean)
    squares += (index - middle) ** 2
  }
  const perPart = products / squares
  const rest = values.reduce((sum, value, index) => sum + (value - mean - perPart * (index - middle)) ** 2, 0)
  const reach = studentQuantile(ALPHA, n - 2) * Math.sqrt(rest / (n - 2) / squares)
  const asShare = (slope: number): number => (slope * n) / Math.abs(mean)
  return {slope: asShare(perPart), interval: [asShare(perPart - reach), asShare(perPart + reach)]}
}
