import {seededRandom, type Random} from '../foundation/index.js'
import {studentP, studentQuantile} from './student-t.js'

/** Samples of one run in the order of sending. */
export type RunSamples = Float64Array

export interface ComparisonOptions {
  /** 0–1: which percentile is compared. */
  readonly quantile: number
  /** Requests in flight: those near each other share batches, and are resampled together. */
  readonly concurrency: number
  readonly seed: number
}

/** How a percentile of one side stands to that of the other. */
export interface RatioEstimate {
  /** Candidate / baseline. */
  readonly ratio: number
  /** 95 % interval of it. */
  readonly interval: readonly [low: number, high: number]
  /** Two-sided, of no change. */
  readonly p: number
  /** Both sides have runs enough to be drawn whole: nothing that makes single requests resemble each other is left. */
  readonly isByRun: boolean
  /** The smallest change that the data would probably have shown, as a share: 0.04 is 4 %. */
  readonly detectable: number
}

const RESAMPLES = 2000
const [FEWEST_BLOCKS, MOST_BLOCKS] = [20, 50]
/** Finer than any percentile that is compared needs. */
const MOST_BINS = 2048
const ALPHA = 0.05

/**
 * Compares a percentile of two sides by the ratio of the two: blocks of requests that were sent one after another, and runs
 * where there are several, are drawn again and again with replacement, and the spread of the ratio's logarithm over 2,000
 * draws gives the interval and the p-value (Student's t with one degree of freedom less than there are blocks, or runs).
 *
 * @returns null when a side has fewer than 20 samples or a percentile of 0
 * @see B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8 — blocks of correlated data
 */
export function compareSamples(
  baseline: readonly RunSamples[],
  candidate: readonly RunSamples[],
  options: ComparisonOptions,
): RatioEstimate | null {
  const random = seededRandom(options.seed)
  const [one, other] = [baseline, candidate].map(runs => sideOf(runs, options))
  if (one == null || other == null) return null
  const log = Math.log(other.value / one.value)
  if (!Number.isFinite(log)) return null
  let [sum, squares] = [0, 0]
  for (let draw = 0; draw < RESAMPLES; draw++) {
    const value = other.redraw(random) - one.redraw(random)
    sum += value
    squares += value * value
  }
  const deviation = Math.sqrt(Math.max(0, squares / RESAMPLES - (sum / RESAMPLES) ** 2))
  const freedom = one.units + other.units - 2
  const reach = studentQuantile(ALPHA, freedom) * deviation
  return {
    ratio: Math.exp(log),
    interval: [Math.exp(log - reach), Math.exp(log + reach)],
    isByRun: one.isByRun && other.isByRun,
    p: deviation === 0 ? (log === 0 ? 1 : 0) : studentP(log / deviation, freedom),
    // What is beyond the interval four times in five: 80 % power.
    detectable: Math.exp(reach + studentQuantile(0.4, freedom) * deviation) - 1,
  }
}

interface Side {
  readonly value: number
  /** What is drawn independently: runs where there are enough, else blocks. */
  readonly units: number
  readonly isByRun: boolean
  /** How far the logarithm of the percentile of a draw lies from that of the side. */
  redraw(random: Random): number
}

const ENOUGH_RUNS = 4

function sideOf(runs: readonly RunSamples[], {quantile, concurrency}: ComparisonOptions): Side | null {
  const all = Float64Array.from(runs.flatMap(run => [...run])).sort()
  if (all.length < FEWEST_BLOCKS) return null
  const edges = binEdges(all)
  const counted = runs.filter(run => run.length > 0).map(run => blocksOf(run, edges, concurrency))
  const blocks = counted.flat()
  const isByRun = counted.length >= ENOUGH_RUNS
  const weights = new Float64Array(edges.length)
  const add = ({bins, counts}: Block): void => {
    for (let index = 0; index < bins.length; index++) weights[bins[index]!]! += counts[index]!
  }
  const drawBlocks = (from: readonly Block[], random: Random): void => {
    for (let drawn = 0; drawn < from.length; drawn++) add(from[random.integer(0, from.length - 1)]!)
  }
  for (const block of blocks) add(block)
  const value = percentileOfBins(edges, weights, quantile)
  if (value <= 0) return null
  // Draws from k units spread too little, by the share that the mean of all of them takes.
  const spread = isByRun ? Math.sqrt(counted.length / (counted.length - 1)) : 1
  return {
    value,
    units: isByRun ? counted.length : blocks.length,
    isByRun,
    redraw(random) {
      weights.fill(0)
      // Enough runs are units of their own: they differ by themselves and by the noise of their requests, both of which is in them.
      if (isByRun) {
        for (let drawn = 0; drawn < counted.length; drawn++) {
          for (const block of counted[random.integer(0, counted.length - 1)]!) add(block)
        }
      } else if (counted.length > 1) {
        for (let drawn = 0; drawn < counted.length; drawn++) {
          drawBlocks(counted[random.integer(0, counted.length - 1)]!, random)
        }
      } else {
        drawBlocks(blocks, random)
      }
      return spread * Math.log(percentileOfBins(edges, weights, quantile) / value)
    },
  }
}

/** Values at equal steps of rank; every sample is its own bin while there are few. */
function binEdges(sorted: Float64Array): Float64Array {
  if (sorted.length <= MOST_BINS) return sorted
  return Float64Array.from(
    {length: MOST_BINS},
    (_, bin) => sorted[Math.floor(((bin + 1) * sorted.length) / MOST_BINS) - 1]!,
  )
}

/** How many samples of a block lie in which bins; bins without any are left out. */
interface Block {
  readonly bins: Uint32Array
  readonly counts: Uint32Array
}

function blocksOf(run: RunSamples, edges: Float64Array, concurrency: number): Block[] {
  const wanted = Math.floor(run.length / (2 * Math.max(1, concurrency)))
  const count = Math.min(run.length, Math.min(MOST_BLOCKS, Math.max(FEWEST_BLOCKS, wanted)))
  return Array.from({length: count}, (_, block) => {
    const from = Math.ceil((block * run.length) / count)
    const to = Math.ceil(((block + 1) * run.length) / count)
    const found = new Map<number, number>()
    for (let index = from; index < to; index++) {
      const bin = binOf(edges, run[index]!)
      found.set(bin, (found.get(bin) ?? 0) + 1)
    }
    return {bins: Uint32Array.from(found.keys()), counts: Uint32Array.from(found.values())}
  })
}

/** The first bin whose edge is not below a value. */
function binOf(edges: Float64Array, value: number): number {
  let [low, high] = [0, edges.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (edges[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

function percentileOfBins(edges: Float64Array, weights: Float64Array, quantile: number): number {
  let total = 0
  for (const weight of weights) total += weight
  let left = quantile * total
  for (let bin = 0; bin < edges.length; bin++) {
    left -= weights[bin]!
    if (left <= 0) return edges[bin]!
  }
  return edges.at(-1)!
}
