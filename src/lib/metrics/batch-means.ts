import {lag1Autocorrelation} from './autocorrelation.js'
import {moments} from './summary.js'
import {studentQuantile} from './student-t.js'

/** A spread of fewer batches says too little of itself. */
export const FEWEST_BATCHES = 10
/** Batches that resemble their neighbours more than this are too short to be independent. */
const MOST_CORRELATION = 0.3
const ALPHA = 0.05

/**
 * 95 % interval of a mean whose samples share batches of a server and are not independent: the run is cut into batches that
 * are, and their means vary as independent ones do. Where neighbouring batches still resemble each other, fewer and longer ones
 * are taken.
 *
 * @param batchesOf the mean of each of `count` equal parts in order of time; null when one of them has none
 * @param most how many parts are long enough
 * @returns mean of the batches ± t(0.975, b − 1) · s / √b; null when fewer than ten batches are independent
 * @see A. Law, W. Kelton, "Simulation Modeling and Analysis", chapter 9 — batch means
 */
export function batchMeansInterval(
  batchesOf: (count: number) => readonly number[] | null,
  most: number,
): readonly [low: number, high: number] | null {
  for (let count = most; count >= FEWEST_BATCHES; count = Math.floor(count / 2)) {
    const means = batchesOf(count)
    if (means === null) continue
    if ((lag1Autocorrelation(means) ?? 0) > MOST_CORRELATION) continue
    const {mean, std} = moments(means)
    const reach = (studentQuantile(ALPHA, means.length - 1) * std!) / Math.sqrt(means.length)
    return [mean! - reach, mean! + reach]
  }
  return null
}
