/** What speaks for or against the load generator as an instrument; null where unknown. */
export interface InstrumentFigures {
  readonly latenessP99Ms: number | null
  readonly ttftErrorP99Ms: number | null
  readonly gapErrorP99Ms: number | null
  readonly ttftP50Ms: number | null
  readonly iclP50Ms: number | null
}

const LATENESS_LIMIT_MS = 5

/** How large each error may be; null where nothing was measured that it could spoil. */
export interface ErrorLimits {
  readonly latenessMs: number
  readonly ttftErrorMs: number | null
  readonly gapErrorMs: number | null
}

export function errorLimits({ttftP50Ms, iclP50Ms}: InstrumentFigures): ErrorLimits {
  return {
    latenessMs: ttftP50Ms === null ? LATENESS_LIMIT_MS : Math.min(LATENESS_LIMIT_MS, 0.01 * ttftP50Ms),
    ttftErrorMs: ttftP50Ms === null ? null : 0.05 * ttftP50Ms,
    gapErrorMs: iclP50Ms === null ? null : 0.1 * iclP50Ms,
  }
}

/**
 * Why the run's figures are the client's rather than the server's; none when the client was good enough: its own lateness
 * at p99 within 5 ms and 1 % of the median TTFT, its TTFT error within 5 % of the median TTFT, its gap error within 10 % of
 * the median gap.
 */
export function clientLimits(figures: InstrumentFigures): string[] {
  const {latenessP99Ms, ttftErrorP99Ms, gapErrorP99Ms} = figures
  const limits = errorLimits(figures)
  const reasons: string[] = []
  const above = (value: number | null, limit: number | null, what: string): void => {
    if (value !== null && limit !== null && value > limit) {
      reasons.push(`${what} is ${value.toFixed(2)} ms at p99, more than ${limit.toFixed(2)} ms`)
    }
  }
  above(latenessP99Ms, limits.latenessMs, 'sending late')
  above(ttftErrorP99Ms, limits.ttftErrorMs, 'the error of a TTFT')
  above(gapErrorP99Ms, limits.gapErrorMs, 'the error of a gap')
  return reasons
}
