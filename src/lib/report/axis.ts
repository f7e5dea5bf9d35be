/**
 * Round numbers from at or below `low` to at or above `high`, about `count` of them, in steps of 1, 2 or 5 × 10ᵏ.
 *
 * @param minStep the finest step allowed, such as 1 for things that come in whole numbers
 */
export function niceTicks(low: number, high: number, count: number, minStep = 0): readonly number[] {
  const span = high > low ? high - low : Math.abs(high) || 1
  const step = Math.max(niceStep(span / Math.max(1, count)), minStep)
  const first = Math.floor(low / step + 1e-9)
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9))
  return Array.from({length: last - first + 1}, (_, at) => Number(((first + at) * step).toPrecision(12)))
}

/** The smallest of 1, 2, 5 × 10ᵏ that is not below `step`. */
export function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step))
  const factor = [1, 2, 5, 10].find(candidate => candidate * power >= step * (1 - 1e-9)) ?? 10
  return Number((factor * power).toPrecision(12))
}

/** Ticks for bytes: steps of a power of two times 1 MiB where possible, so that limits fall on the grid. */
export function byteTicks(high: number, count: number): readonly number[] {
  const step = 2 ** Math.ceil(Math.log2(Math.max(1, high) / count))
  return Array.from({length: Math.max(1, Math.ceil(high / step)) + 1}, (_, at) => at * step)
}

/** Ticks of a logarithmic axis: 1-2-5 steps while they fit into `count`, else powers of ten. */
export function logTicks(low: number, high: number, count: number): readonly number[] {
  const from = Math.floor(Math.log10(low))
  const to = Math.ceil(Math.log10(high))
  const within = (ticks: readonly number[]): readonly number[] =>
    ticks.filter(tick => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9))
  const decades = Array.from({length: to - from + 1}, (_, at) => from + at)
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const ticks = within(decades.flatMap(decade => factors.map(factor => tidy(factor * 10 ** decade))))
    if (ticks.length >= 2 && ticks.length <= count) return ticks
  }
  const powers = within(decades.map(decade => tidy(10 ** decade)))
  return powers.length >= 2 ? powers : niceTicks(low, high, Math.min(count, 4)).filter(tick => tick > 0)
}

/** Seconds at which a time axis is marked: 1, 2, 5, 10, 15, 30, 60 … s. */
export function timeTicks(seconds: number, count: number): readonly number[] {
  const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400]
  const step = steps.find(candidate => seconds / candidate <= count) ?? niceStep(seconds / count)
  return Array.from({length: Math.floor(seconds / step + 1e-9) + 1}, (_, at) => tidy(at * step))
}

function tidy(value: number): number {
  return Number(value.toPrecision(12))
}
