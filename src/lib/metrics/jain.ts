/**
 * Jain's index of fairness: (Σ x)² / (n Σ x²), 1 when all have the same, 1/n when one has everything.
 *
 * @returns null without values, or when nobody has anything
 * @see R. Jain, D. Chiu, W. Hawe, "A Quantitative Measure of Fairness and Discrimination", DEC-TR-301, 1984
 */
export function jainIndex(values: readonly number[]): number | null {
  const sum = values.reduce((total, value) => total + value, 0)
  const squares = values.reduce((total, value) => total + value * value, 0)
  return squares === 0 ? null : (sum * sum) / (values.length * squares)
}
