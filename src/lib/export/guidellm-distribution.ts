/** GuideLLM's summary of one figure; null where there is no sample. */
export interface GuideLlmSummary {
  readonly mean: number | null
  readonly median: number | null
  readonly mode: number | null
  readonly variance: number | null
  readonly std_dev: number | null
  readonly min: number | null
  readonly max: number | null
  readonly count: number
  readonly total_sum: number
  readonly percentiles: Readonly<Record<string, number | null>>
  readonly pdf: readonly (readonly [value: number, probability: number])[] | null
}

/** A figure and how much it counts: 1 a request, or how long it held. */
export type Weighted = readonly [value: number, weight: number]

const PERCENTILES = {
  p001: 0.001,
  p01: 0.01,
  p05: 0.05,
  p10: 0.1,
  p25: 0.25,
  p50: 0.5,
  p75: 0.75,
  p90: 0.9,
  p95: 0.95,
  p99: 0.99,
  p999: 0.999,
}
/** A density of more points says nothing that the percentiles do not. */
const MAX_PDF_POINTS = 100

/**
 * A distribution as GuideLLM summarises it: percentiles are the smallest value that enough of the weight does not exceed
 * (nearest rank), variance divides by the whole weight.
 *
 * @see vllm-project/guidellm:src/guidellm/schemas/statistics.py
 */
export function guideLlmSummary(samples: readonly Weighted[]): GuideLlmSummary {
  const sorted = samples.filter(([, weight]) => weight > 0).sort(([one], [other]) => one - other)
  const weight = sorted.reduce((total, [, one]) => total + one, 0)
  const total_sum = sorted.reduce((total, [value, one]) => total + value * one, 0)
  const mean = weight === 0 ? null : total_sum / weight
  const variance =
    mean === null
      ? null
      : sorted.reduce((total, [value, one]) => total + one * (value - mean) ** 2, 0) / weight
  const pdf = density(sorted, weight)
  const at = (share: number): number | null => {
    let seen = 0
    for (const [value, one] of sorted) if ((seen += one) >= share * weight * (1 - 1e-12)) return value
    return null
  }
  return {
    mean,
    median: at(0.5),
    mode:
      pdf.reduce<Weighted | null>(
        (most, one) => (most === null || one[1] > most[1] ? one : most),
        null,
      )?.[0] ?? null,
    variance,
    std_dev: variance === null ? null : Math.sqrt(variance),
    min: sorted[0]?.[0] ?? null,
    max: sorted.at(-1)?.[0] ?? null,
    count: sorted.length,
    total_sum,
    percentiles: Object.fromEntries(Object.entries(PERCENTILES).map(([name, share]) => [name, at(share)])),
    pdf: pdf.length > MAX_PDF_POINTS ? null : pdf,
  }
}

/** Shares of the values that occur, ascending. */
function density(sorted: readonly Weighted[], weight: number): Weighted[] {
  const points: [number, number][] = []
  for (const [value, one] of sorted) {
    const last = points.at(-1)
    if (last?.[0] === value) last[1] += one / weight
    else points.push([value, one / weight])
  }
  return points
}

/** How many spans hold at a time, each level weighted by how long it held. @param spans ms */
export function levelsOverTime(spans: readonly (readonly [fromMs: number, toMs: number])[]): Weighted[] {
  const changes = spans.flatMap(([from, to]) => [[from, 1] as const, [to, -1] as const])
  changes.sort(([at, change], [otherAt, other]) => at - otherAt || change - other)
  const levels: Weighted[] = []
  let level = 0
  changes.forEach(([at, change], index) => {
    level += change
    const next = changes[index + 1]
    if (next !== undefined && next[0] > at) levels.push([level, (next[0] - at) / 1000])
  })
  return levels
}

/** Amounts that arrive, as a rate per second between one arrival and the next, weighted by the time between them. */
export function ratesOverTime(
  fromMs: number,
  arrivals: readonly (readonly [atMs: number, amount: number])[],
): Weighted[] {
  const rates: Weighted[] = []
  let [since, amount] = [fromMs, 0]
  for (const [at, one] of [...arrivals].sort(([left], [right]) => left - right)) {
    amount += one
    const seconds = (at - since) / 1000
    // What arrives at the same moment counts for the next span.
    if (seconds <= 0) continue
    rates.push([amount / seconds, seconds])
    since = at
    amount = 0
  }
  return rates
}
