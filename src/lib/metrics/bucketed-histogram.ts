/** Counts of a histogram whose samples are not known, such as a server's own; `counts` are cumulative. */
export interface BucketedHistogram {
  /** Upper bounds, ascending, the last one infinite. */
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
}

/** A percentile that is known as far as its bucket is. */
export interface BucketedPercentile {
  readonly value: number
  /** Width of the bucket: the true value lies within it. Infinite in the last one. */
  readonly width: number
}

/** What came between two readings of one histogram; null when the server started anew in between, or nothing came. */
export function histogramBetween(
  before: BucketedHistogram,
  after: BucketedHistogram,
): BucketedHistogram | null {
  if (before.bounds.join() !== after.bounds.join()) return null
  const counts = after.counts.map((count, at) => count - before.counts[at]!)
  if (counts.some(count => count < 0) || (counts.at(-1) ?? 0) <= 0) return null
  return {bounds: after.bounds, counts, sum: after.sum - before.sum}
}

/**
 * A percentile by linear interpolation within its bucket; beyond the last finite bound it is that bound.
 *
 * @see prometheus/prometheus:promql/quantile.go — bucketQuantile
 */
export function bucketedPercentile(
  {bounds, counts}: BucketedHistogram,
  quantile: number,
): BucketedPercentile {
  const rank = quantile * counts.at(-1)!
  const at = counts.findIndex(count => count >= rank)
  const low = at === 0 ? 0 : bounds[at - 1]!
  const high = bounds[at]!
  if (!Number.isFinite(high)) return {value: low, width: Infinity}
  const below = at === 0 ? 0 : counts[at - 1]!
  const inside = counts[at]! - below
  const share = inside === 0 ? 0 : (rank - below) / inside
  return {value: low + (high - low) * share, width: high - low}
}
