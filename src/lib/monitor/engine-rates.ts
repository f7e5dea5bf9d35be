/** What an engine has counted since its start, at the moment when its page was read. */
export interface EngineCounters {
  readonly readAtMs: number
  readonly promptTokens: number | null
  readonly generationTokens: number | null
  /** Requests whose first token came. */
  readonly firstTokens: number | null
  /** What those waited for it, all together. */
  readonly firstTokenSeconds: number | null
}

/** How fast an engine is, over the last seconds. */
export interface EngineRates {
  readonly promptTokensPerSecond: number | null
  readonly generationTokensPerSecond: number | null
  readonly ttftMs: number | null
}

/** Long enough that single steps do not show, short enough to follow what happens. */
const WINDOW_MS = 10_000
const COUNTED = ['promptTokens', 'generationTokens', 'firstTokens', 'firstTokenSeconds'] as const

/** Pure: the readings that rates are taken from, oldest first, with a new one. A counter that fell is a new engine's. */
export function withReading(
  readings: readonly EngineCounters[],
  next: EngineCounters,
): readonly EngineCounters[] {
  const last = readings.at(-1)
  if (last?.readAtMs === next.readAtMs) return readings
  const hasRestarted = last !== undefined && COUNTED.some(name => (next[name] ?? 0) < (last[name] ?? 0))
  const kept = hasRestarted ? [] : readings.filter(({readAtMs}) => next.readAtMs - readAtMs <= WINDOW_MS)
  return [...kept, next]
}

/** Pure: (last − first) / time between them; the mean TTFT is seconds waited / requests, of those in between. */
export function ratesOf(readings: readonly EngineCounters[]): EngineRates {
  const [first, last] = [readings[0], readings.at(-1)]
  const seconds = first === undefined ? 0 : (last!.readAtMs - first.readAtMs) / 1000
  const grown = (name: (typeof COUNTED)[number]): number | null => {
    const [before, after] = [first?.[name] ?? null, last?.[name] ?? null]
    return seconds <= 0 || before === null || after === null ? null : after - before
  }
  const perSecond = (growth: number | null): number | null => (growth === null ? null : growth / seconds)
  const [answered, waited] = [grown('firstTokens'), grown('firstTokenSeconds')]
  return {
    promptTokensPerSecond: perSecond(grown('promptTokens')),
    generationTokensPerSecond: perSecond(grown('generationTokens')),
    ttftMs: answered === null || waited === null || answered === 0 ? null : (waited / answered) * 1000,
  }
}

/** The rates of several engines by their URL, from one reading to the next. */
export class EngineRatesByUrl {
  #readings: ReadonlyMap<string, readonly EngineCounters[]> = new Map()

  /** Engines that are not among `counters` are forgotten. */
  read(counters: ReadonlyMap<string, EngineCounters>): void {
    this.#readings = new Map(
      [...counters].map(([url, next]) => [url, withReading(this.#readings.get(url) ?? [], next)]),
    )
  }

  of(url: string): EngineRates {
    return ratesOf(this.#readings.get(url) ?? [])
  }
}
