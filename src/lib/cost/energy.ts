/** What one GPU told at one moment. */
export interface EnergySample {
  readonly atMs: number
  /** Total since the driver was loaded. */
  readonly joules: number | null
  readonly watts: number | null
}

/** Energy of a window, and where it is from; null where too little of the window was seen. */
export interface WindowEnergy {
  readonly joules: number | null
  readonly source: 'counter' | 'integrated_power' | null
  /** Share of the window that samples tell about, 0–1. */
  readonly coverage: number
}

/** Below this share the energy of the rest would be a guess. */
const LEAST_COVERAGE = 0.8
/** A longer gap, in usual distances between samples, is not bridged. */
const LONGEST_GAP = 3

/**
 * Energy of one GPU over [fromMs, toMs]: the hardware counter where it tells enough of the window, else power integrated over
 * time by the trapezoid rule. Between two samples both are interpolated to the edges of the window. A counter that falls (the
 * driver was loaded anew) leaves a gap, never a negative energy.
 *
 * @param samples in order of time
 */
export function energyOfWindow(samples: readonly EnergySample[], fromMs: number, toMs: number): WindowEnergy {
  const counter = integrate(
    samples,
    fromMs,
    toMs,
    one => one.joules,
    (before, after, share) => {
      const used = after - before
      return used < 0 ? null : used * (share.to - share.from)
    },
  )
  if (counter.coverage >= LEAST_COVERAGE) return {...counter, source: 'counter'}
  const power = integrate(
    samples,
    fromMs,
    toMs,
    one => one.watts,
    (before, after, share, seconds) => {
      const at = (part: number): number => before + (after - before) * part
      return ((at(share.from) + at(share.to)) / 2) * seconds * (share.to - share.from)
    },
  )
  if (power.coverage >= LEAST_COVERAGE) return {...power, source: 'integrated_power'}
  return {joules: null, source: null, coverage: Math.max(counter.coverage, power.coverage)}
}

/** All GPUs together: unknown when one is, and as sure as the least sure. */
export function sumOfEnergies(energies: readonly WindowEnergy[]): WindowEnergy {
  const coverage = energies.length === 0 ? 0 : Math.min(...energies.map(one => one.coverage))
  if (energies.length === 0 || energies.some(one => one.joules === null))
    return {joules: null, source: null, coverage}
  return {
    joules: energies.reduce((sum, one) => sum + one.joules!, 0),
    source: energies.every(one => one.source === 'counter') ? 'counter' : 'integrated_power',
    coverage,
  }
}

interface Share {
  /** Where the window begins and ends between two samples, 0–1. */
  readonly from: number
  readonly to: number
}

function integrate(
  samples: readonly EnergySample[],
  fromMs: number,
  toMs: number,
  figureOf: (sample: EnergySample) => number | null,
  energyOf: (before: number, after: number, share: Share, seconds: number) => number | null,
): {joules: number; coverage: number} {
  const known = samples.flatMap(sample => {
    const figure = figureOf(sample)
    return figure === null ? [] : [{atMs: sample.atMs, figure}]
  })
  const longestMs = LONGEST_GAP * usualStepMs(known.map(({atMs}) => atMs))
  let [joules, coveredMs] = [0, 0]
  for (let index = 1; index < known.length; index++) {
    const [before, after] = [known[index - 1]!, known[index]!]
    const stepMs = after.atMs - before.atMs
    const [start, end] = [Math.max(before.atMs, fromMs), Math.min(after.atMs, toMs)]
    if (end <= start || stepMs > longestMs) continue
    const share = {from: (start - before.atMs) / stepMs, to: (end - before.atMs) / stepMs}
    const energy = energyOf(before.figure, after.figure, share, stepMs / 1000)
    if (energy === null) continue
    joules += energy
    coveredMs += end - start
  }
  return {joules, coverage: toMs > fromMs ? coveredMs / (toMs - fromMs) : 0}
}

/** The median distance between samples. */
function usualStepMs(times: readonly number[]): number {
  const steps = times.slice(1).map((at, index) => at - times[index]!)
  steps.sort((one, other) => one - other)
  return steps[Math.floor(steps.length / 2)] ?? 0
}
