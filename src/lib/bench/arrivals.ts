import {ConfigurationError, seededRandom, type Random} from '../foundation/index.js'

/**
 * How send times are spread. `steady` without a rate is the closed loop and has no schedule; `burst` is another name of
 * `bursty`, `ramp-linear` of `ramp`; the times of `trace` come with the data set; `inf` sends everything at once; `users`
 * send their next request so long after their last, or when it is answered.
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
  'ramp-linear',
  'ramp-exp',
  'on-off',
  'stages',
  'users',
  'inf',
  'trace',
] as const
export type Pattern = (typeof PATTERNS)[number]

/** A stretch of a schedule at one mean rate. */
export interface RateStage {
  readonly ratePerSecond: number
  readonly seconds: number
}

/** A stretch of a closed loop with so many requests in flight. */
export interface SlotStage {
  readonly concurrency: number
  readonly seconds: number
}

export type Stage = RateStage | SlotStage

export function isRateStage(stage: Stage): stage is RateStage {
  return 'ratePerSecond' in stage
}

/** The stages of a closed loop; none of a schedule's. */
export function slotStages(stages: readonly Stage[]): SlotStage[] {
  return stages.flatMap(stage => (isRateStage(stage) ? [] : [stage]))
}

/** What an open-loop schedule is drawn from. Times in seconds, rates in requests per second. */
export interface ArrivalProcess {
  readonly pattern: Exclude<Pattern, 'trace' | 'users'>
  readonly requests: number
  /** Mean rate over the whole schedule. */
  readonly ratePerSecond: number
  readonly durationSeconds: number
  readonly seed: number
  /** `gamma` only: shape of the gaps; below 1 clumps, 1 is Poisson, large is nearly constant. */
  readonly burstiness: number
  /** Ramps only: the rate at the start; the end rate follows from the mean. */
  readonly rampFromPerSecond: number
  /** `on-off` only. */
  readonly onSeconds: number
  readonly offSeconds: number
  /** The rate of the off phases; 0 is silence. */
  readonly offRatePerSecond: number
  /** `stages` only. */
  readonly stages: readonly RateStage[]
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
    case 'ramp-linear':
      return ramp(times, process)
    case 'ramp-exp':
      return exponentialRamp(times, process)
    case 'stages':
      return stageTimes(process, random)
    case 'inf':
      return times
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

/** The mean rate of a ramp between two rates. */
export function meanOfRamp(pattern: Pattern, from: number, to: number): number {
  if (pattern !== 'ramp-exp') return (from + to) / 2
  return from === to ? from : (to - from) / Math.log(to / from)
}

/** Where a ramp of this mean ends. */
export function endOfRamp(pattern: Pattern, from: number, mean: number): number {
  return pattern === 'ramp-exp' ? endOfExponentialRamp(from, mean) : 2 * mean - from
}

/** Rate grows by the same factor in the same time, r(t) = r₀·(r₁/r₀)^(t/D); ln(1 + g·i/r₀)/g with g = ln(r₁/r₀)/D. */
function exponentialRamp(
  times: Float64Array<ArrayBuffer>,
  {ratePerSecond: mean, durationSeconds, rampFromPerSecond: from}: ArrivalProcess,
): Float64Array<ArrayBuffer> {
  if (from <= 0) {
    throw new ConfigurationError('RATE_INVALID', 'an exponential ramp starts above 0/s', {
      suggestions: ['--ramp-from 0.5'],
    })
  }
  const growth = Math.log(endOfExponentialRamp(from, mean) / from) / durationSeconds
  return times.map((_, i) =>
    Math.abs(growth * durationSeconds) < 1e-9 ? i / from : Math.log1p((growth * i) / from) / growth,
  )
}

/** The end rate for which (r₁ − r₀)/ln(r₁/r₀) is the mean, found by bisection: that mean grows with r₁. */
function endOfExponentialRamp(from: number, mean: number): number {
  let [low, high] = [from * 1e-12, Math.max(from, mean)]
  while (meanOfRamp('ramp-exp', from, high) < mean) high *= 2
  for (let step = 0; step < 200 && low < high; step++) {
    const middle = (low + high) / 2
    if (meanOfRamp('ramp-exp', from, middle) < mean) low = middle
    else high = middle
  }
  return high
}

/** How many requests each stage sends. */
export function stageCounts(stages: readonly RateStage[]): number[] {
  return stages.map(({ratePerSecond, seconds}) => Math.round(ratePerSecond * seconds))
}

/** In each stage its number of requests at independent instants: a Poisson process of which the count is known. */
function stageTimes({stages, requests}: ArrivalProcess, random: Random): Float64Array<ArrayBuffer> {
  const counts = stageCounts(stages)
  let startSeconds = 0
  const times = stages.flatMap(({seconds}, place) => {
    const from = startSeconds
    startSeconds += seconds
    return Array.from({length: counts[place]!}, () => from + random.unit() * seconds).sort((a, b) => a - b)
  })
  if (times.length < requests) {
    throw new ConfigurationError(
      'STAGES_TOO_SHORT',
      `the stages send ${times.length} requests, not ${requests}`,
      {suggestions: [`--requests ${times.length}`, 'longer or faster stages']},
    )
  }
  return Float64Array.from(times.slice(0, requests))
}

/** Poisson arrivals at two rates in turn; the rate of the on phases is the one that keeps the mean. */
function onOff(
  times: Float64Array<ArrayBuffer>,
  {ratePerSecond, onSeconds, offSeconds, offRatePerSecond: offRate}: ArrivalProcess,
  random: Random,
): Float64Array<ArrayBuffer> {
  const cycleSeconds = onSeconds + offSeconds
  const perCycle = ratePerSecond * cycleSeconds
  const perOn = perCycle - offRate * offSeconds
  if (perOn <= 0) {
    throw new ConfigurationError(
      'RATE_INVALID',
      `with ${offRate}/s in the pauses the mean cannot be ${ratePerSecond}/s`,
    )
  }
  const expected = summed(times, () => random.exponential(1))
  return expected.map(count => {
    const cycle = Math.floor(count / perCycle)
    const rest = count - cycle * perCycle
    const within = rest < perOn ? (rest * onSeconds) / perOn : onSeconds + (rest - perOn) / offRate
    return cycle * cycleSeconds + within
  })
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
