/** Equal bins between the smallest and the largest value. */
export interface EqualBins {
  /** Centres. */
  readonly bins: number[]
  readonly counts: number[]
  /** One more than `bins`. */
  readonly binEdges: number[]
  readonly min: number | null
  readonly max: number | null
  readonly totalSamples: number
}

/**
 * Twenty equal bins between min and max, the last one closed; one bin when all values are equal, none without values.
 *
 * @param sorted ascending
 * @see Siryoos/kserve-vllm-mini:analyze.py
 */
export function equalBins(sorted: Float64Array, binCount = 20): EqualBins {
  const totalSamples = sorted.length
  if (totalSamples === 0) return {bins: [], counts: [], binEdges: [], min: null, max: null, totalSamples}
  const min = sorted[0]!
  const max = sorted[totalSamples - 1]!
  if (min === max) return {bins: [min], counts: [totalSamples], binEdges: [min, max], min, max, totalSamples}
  const width = (max - min) / binCount
  const counts = new Array<number>(binCount).fill(0)
  for (const value of sorted) counts[Math.min(binCount - 1, Math.floor((value - min) / width))]!++
  const binEdges = Array.from({length: binCount + 1}, (_, index) =>
    index === binCount ? max : min + index * width,
  )
  const bins = counts.map((_, index) => (binEdges[index]! + binEdges[index + 1]!) / 2)
  return {bins, counts, binEdges, min, max, totalSamples}
}

/** Bins by their lower edges. */
export interface LowerEdgeBins {
  readonly bins: number[]
  readonly counts: number[]
}

const MIN_BINS = 5
const MAX_BINS = 20
/** Powers of ten tried for the step: from 10⁻³ ms, the resolution of the files, to 10⁹ ms. */
const STEP_POWERS = Array.from({length: 13}, (_, index) => index - 3)

/**
 * Bins from 0 in equal steps of 1, 2 or 5 · 10ᵏ, the last one open above: as few as there can be from 5 on, 20 at most.
 *
 * @param sorted ascending, ≥ 0
 */
export function niceBins(sorted: Float64Array): LowerEdgeBins {
  if (sorted.length === 0) return {bins: [], counts: []}
  const max = sorted[sorted.length - 1]!
  const steps = STEP_POWERS.flatMap(power => [1, 2, 5].map(digit => ({digit, power})))
  const binsWith = ({digit, power}: {digit: number; power: number}): number =>
    Math.floor(max / (digit * 10 ** power)) + 1
  const step = steps.findLast(candidate => binsWith(candidate) >= MIN_BINS) ?? steps[0]!
  const count = Math.max(MIN_BINS, Math.min(MAX_BINS, binsWith(step)))
  const counts = new Array<number>(count).fill(0)
  const width = step.digit * 10 ** step.power
  for (const value of sorted) counts[Math.min(count - 1, Math.floor(value / width))]!++
  // Multiplying whole numbers first keeps the edges free of 0.30000000000000004.
  const scale = 10 ** Math.max(0, -step.power)
  const whole = step.digit * 10 ** Math.max(0, step.power)
  return {bins: counts.map((_, index) => (index * whole) / scale), counts}
}
