/**
 * Percentile by linear interpolation between order statistics: position q·(n − 1) in the sorted samples.
 *
 * @param sorted ascending; Infinity stands for samples known only to lie beyond the others
 * @param q 0 … 1
 * @returns null without samples, and where the position falls among infinite ones
 * @see Hyndman and Fan 1996, type 7; numpy/numpy:numpy/lib/_function_base_impl.py — the default of numpy.percentile
 */
export function percentile(sorted: ArrayLike<number>, q: number): number | null {
  const last = sorted.length - 1
  if (last < 0) return null
  const position = q * last
  const below = Math.floor(position)
  const low = sorted[below]!
  if (position === below) return finite(low)
  return finite(low + (sorted[below + 1]! - low) * (position - below))
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
