/** Requests in flight over a window, weighted by time. */
export interface Concurrency {
  readonly mean: number | null
  readonly p50: number | null
  readonly p95: number | null
  readonly max: number | null
}

/**
 * Walks over all moments at which the number of requests in flight changes: exact, ends before starts on ties.
 *
 * @param starts send times and `ends`, both ascending; one unit and clock for all
 * @param onSpan receives every span of constant concurrency that lies in [from, to)
 */
export function sweepConcurrency(
  starts: Float64Array,
  ends: Float64Array,
  from: number,
  to: number,
  onSpan: (start: number, end: number, inFlight: number) => void,
): void {
  let [started, ended, at] = [0, 0, -Infinity]
  while (started < starts.length || ended < ends.length) {
    const isEnd = started >= starts.length || ends[ended]! <= starts[started]!
    const next = isEnd ? ends[ended]! : starts[started]!
    const spanStart = Math.max(at, from)
    const spanEnd = Math.min(next, to)
    if (spanEnd > spanStart) onSpan(spanStart, spanEnd, started - ended)
    at = next
    if (isEnd) ended++
    else started++
  }
}

/**
 * Time-weighted concurrency in the spans [from, to) together: a percentile is the smallest level that holds for that share
 * of the time.
 *
 * @param starts send times and `ends`, both ascending
 * @param spans without overlap
 */
export function concurrency(
  starts: Float64Array,
  ends: Float64Array,
  spans: readonly {readonly fromMs: number; readonly toMs: number}[],
): Concurrency {
  const timeAt: number[] = []
  let [total, weighted] = [0, 0]
  for (const {fromMs: from, toMs: to} of spans) {
    let seen = 0
    sweepConcurrency(starts, ends, from, to, (start, end, inFlight) => {
      timeAt[inFlight] = (timeAt[inFlight] ?? 0) + (end - start)
      weighted += inFlight * (end - start)
      seen += end - start
    })
    // Time before the first start and after the last end is time with nothing in flight.
    const idle = Math.max(0, to - from - seen)
    timeAt[0] = (timeAt[0] ?? 0) + idle
    total += seen + idle
  }
  if (total <= 0) return {mean: null, p50: null, p95: null, max: null}
  return {
    mean: weighted / total,
    p50: levelHolding(timeAt, total * 0.5),
    p95: levelHolding(timeAt, total * 0.95),
    max: timeAt.length - 1,
  }
}

function levelHolding(timeAt: readonly (number | undefined)[], share: number): number {
  let seen = 0
  for (let level = 0; level < timeAt.length; level++) {
    seen += timeAt[level] ?? 0
    if (seen >= share) return level
  }
  return timeAt.length - 1
}

/**
 * Little's law as a check of steadiness: throughput · mean(e2e) / mean(concurrency), 0.95 … 1.05 in a steady window.
 *
 * @see Little 1961
 */
export function littleCheck(
  requestsPerSecond: number | null,
  meanE2eMs: number | null,
  meanConcurrency: number | null,
): number | null {
  if (requestsPerSecond === null || meanE2eMs === null || meanConcurrency === null || meanConcurrency === 0)
    return null
  return (requestsPerSecond * meanE2eMs) / 1000 / meanConcurrency
}
