/**
 * Mean, and standard deviation with n; both 0 without samples.
 *
 * @see numpy/numpy:numpy/_core/fromnumeric.py — std with ddof 0, which vLLM and AIPerf take
 */
export function momentsByN(samples: readonly number[]): {readonly mean: number; readonly std: number} {
  if (samples.length === 0) return {mean: 0, std: 0}
  const mean = samples.reduce((total, value) => total + value, 0) / samples.length
  const squares = samples.reduce((total, value) => total + (value - mean) ** 2, 0)
  return {mean, std: Math.sqrt(squares / samples.length)}
}
