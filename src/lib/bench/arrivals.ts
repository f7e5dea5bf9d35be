import {ConfigurationError, seededRandom, type Random} from '../foundation/index.js'

/**
 * How send times are spread. `steady` without a rate is the closed loop and has no schedule; `burst` is another name of
 * `bursty`; the times of `trace` come with the data set.
 */
export const PATTERNS = [
  'steady',
  'constant',
  'poisson',
  'gamma',
  'bursty',
  'burst',
  'heavy',
  'ramp',
  'on-off',
  'trace',
] as const
export type Pattern = (typeof PATTERNS)[number]

/** What an open-loop schedule is drawn from. Times in seconds, rates in requests per second. */
export interface ArrivalProcess {
  readonly pattern: Exclude<Pattern, 'trace'>
  readonly requests: number
  /** Mean rate over the whole schedule. */
  readonly ratePerSecond: number
  readonly durationSeconds: number
  readonly seed: number
  /** `gamma` only: shape of the gaps; below 1 clumps, 1 is Poisson, large is nearly constant. */
  readonly burstiness: number
  /** `ramp` only: the rate at the start; the end rate follows from the mean. */
  readonly rampFromPerSecond: number
  /** `on-off` only. */
  readonly onSeconds: number
  readonly offSeconds: number
}

/**
 * Send times in milliseconds since the first instant of the schedule, ascending; the same process always gives the same
 * list. Sleeping to absolute times cannot drift, which drawing a gap after each send does.
 *
 * @see Siryoos/kserve-vllm-mini:scripts/loadtest.py — the shapes of poisson, bursty and heavy
 */
export function arrivalTimesMs(process: ArrivalProcess): Float64Array<ArrayBuffer> {
  const random = seededRandom(process.seed)
  const times = drawSeconds(process, random)
  return times.map(seconds => seconds * 1000)
}

function drawSeconds(process: ArrivalProcess, random: Random): Float64Array<ArrayBuffer> {
  const {pattern, requests, ratePerSecond, durationSeconds} = process
  const times = new Float64Array(requests)
  switch (pattern) {
    case 'steady':
    case 'constant':
      return times.map((_, i) => i / ratePerSecond)
    case 'poisson':
      return summed(times, () => random.exponential(1 / ratePerSecond))
    case 'gamma': {
      const shape = process.burstiness
      return summed(times, () => gamma(random, shape) / (shape * ratePerSecond))
    }
    case 'bursty':
    case 'burst': {
      const early = Math.floor(0.8 * requests)
      const [edge, rest] = [0.2 * durationSeconds, 0.8 * durationSeconds]
      return times.map((_, i) => (i < early ? random.unit() * edge : edge + random.unit() * rest)).sort()
    }
    case 'heavy':
      return times.map(() => paretoShare(1 - random.unit()) * durationSeconds).sort()
    case 'ramp':
      return ramp(times, process)
    case 'on-off':
      return onOff(times, process, random)
  }
}

function summed(times: Float64Array<ArrayBuffer>, drawGap: () => number): Float64Array<ArrayBuffer> {
  let at = 0
  return times.map(() => (at += drawGap()))
}

/** Pareto of shape 1.2, shifted to 0, as a share of the duration; its tail is cut at 95 %. */
function paretoShare(u: number): number {
  return Math.min((u ** (-1 / 1.2) - 1) / 10, 0.95)
}

/** Rate grows linearly from r₀ to r₁ = 2·mean − r₀; the cumulative count r₀t + at² = i is solved for t. */
function ramp(times: Float64Array<ArrayBuffer>, process: ArrivalProcess): Float64Array<ArrayBuffer> {
  const {ratePerSecond, durationSeconds, rampFromPerSecond: from} = process
  const to = 2 * ratePerSecond - from
  if (to < 0) {
    throw new ConfigurationError('RATE_INVALID', `a ramp from ${from}/s cannot average ${ratePerSecond}/s`)
  }
  const a = (to - from) / (2 * durationSeconds)
  return times.map((_, i) =>
    Math.abs(a) < 1e-12 ? i / from : (Math.sqrt(Math.max(0, from * from + 4 * a * i)) - from) / (2 * a),
  )
}

/** Poisson arrivals in the on-phases only, at the rate that keeps the mean; time spent off is inserted afterwards. */
function onOff(
  times: Float64Array<ArrayBuffer>,
  {ratePerSecond, onSeconds, offSeconds}: ArrivalProcess,
  random: Random,
): Float64Array<ArrayBuffer> {
  const onRate = (ratePerSecond * (onSeconds + offSeconds)) / onSeconds
  const busy = summed(times, () => random.exponential(1 / onRate))
  return busy.map(at => at + Math.floor(at / onSeconds) * offSeconds)
}

/**
 * A gamma variate of the given shape and scale 1 (Marsaglia and Tsang, "A simple method for generating gamma variables",
 * 2000), raised by one and scaled back for shapes below 1.
 */
function gamma(random: Random, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * (1 - random.unit()) ** (1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = random.normal(0, 1)
    const v = (1 + c * x) ** 3
    if (v <= 0) continue
    if (Math.log(1 - random.unit()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
  }
}
