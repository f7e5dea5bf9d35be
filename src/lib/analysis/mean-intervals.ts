import {batchMeansInterval, percentile, type MeasureWindow} from '../metrics/index.js'
import {lengthMs} from './run-figures.js'

type Interval = readonly [low: number, high: number] | null

/** Each batch holds so many p95 of E2E, so that few requests lie in two. */
const P95_A_BATCH = 3
const MOST_BATCHES = 30

/** How many batches of a run are long enough to be independent. */
export function mostBatches(windows: readonly MeasureWindow[], e2eSortedMs: Float64Array): number {
  const p95 = percentile(e2eSortedMs, 0.95)
  if (p95 === null || p95 <= 0 || windows.length === 0) return 0
  return Math.min(MOST_BATCHES, Math.floor(lengthMs(windows) / (P95_A_BATCH * p95)))
}

/** Interval of the mean of samples in the order of sending. */
export function meanIntervalOf(samples: Float64Array, most: number): Interval {
  return batchMeansInterval(count => {
    if (samples.length < count) return null
    return Array.from({length: count}, (_, batch) => {
      const from = Math.ceil((batch * samples.length) / count)
      const to = Math.ceil(((batch + 1) * samples.length) / count)
      let sum = 0
      for (let index = from; index < to; index++) sum += samples[index]!
      return sum / (to - from)
    })
  }, most)
}

/**
 * Interval of a rate per second from what was counted in equal slices of time.
 *
 * @param counts of the slices that lie wholly in the window
 */
export function rateIntervalOf(counts: readonly number[], sliceSeconds: number, most: number): Interval {
  return batchMeansInterval(count => {
    const width = Math.floor(counts.length / count)
    if (width === 0) return null
    // Slices of the start that make no whole batch are left out, so that all batches are equally long.
    const skipped = counts.length - width * count
    return Array.from({length: count}, (_, batch) => {
      const from = skipped + batch * width
      const sum = counts.slice(from, from + width).reduce((total, value) => total + value, 0)
      return sum / (width * sliceSeconds)
    })
  }, most)
}
