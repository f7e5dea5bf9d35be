import {percentile} from '../metrics/index.js'
import {isFailure, type RequestRecord, type TimeSample} from '../runs/index.js'
import type {LoadCounts} from './load-loop.js'

/** Median and p95 of what came lately, ms. */
export interface LatelyMs {
  readonly p50: number
  readonly p95: number
}

/** How a run stands, for a screen. Rates and latencies are those of the last seconds, not of the run. */
export interface LiveLook {
  readonly elapsedMs: number
  readonly total: number
  readonly answered: number
  readonly inFlight: number
  readonly requestsPerSecond: number | null
  readonly tokensPerSecond: number | null
  /** At the present rate; null while nothing is known of it. */
  readonly leftMs: number | null
  readonly ttft: LatelyMs | null
  readonly gap: LatelyMs | null
  /** One value a second, the newest last. */
  readonly requestRates: readonly (number | null)[]
  readonly tokenRates: readonly (number | null)[]
  readonly ttftP95s: readonly (number | null)[]
  /** How requests failed, the most frequent first. */
  readonly failures: readonly (readonly [name: string, count: number])[]
  readonly engine: NonNullable<TimeSample['engine']> | null
  /** During the run so far, 0–1. */
  readonly prefixHitRatio: number | null
  readonly preemptions: number | null
  readonly segments: NonNullable<TimeSample['segments']>
  readonly gpus: NonNullable<TimeSample['gpus']>
}

/** Gathers what a run tells of itself. All `nowMs` are of one monotonic clock. */
export interface LiveRun {
  progress(counts: LoadCounts, nowMs: number): void
  answered(records: readonly RequestRecord[], nowMs: number): void
  looked(sample: TimeSample): void
  look(nowMs: number): LiveLook
}

/** How far back rates look. */
const RECENT_MS = 5000
/** A screen has no more columns for it. */
const HISTORY_SECONDS = 60
/** So many answers say what latencies are like; more would only cost time that the measurement needs. */
const MOST_ANSWERS = 1000
const GAPS_OF_AN_ANSWER = 16

interface Count {
  readonly atMs: number
  readonly answered: number
  readonly tokens: number
}

interface Answer {
  readonly atMs: number
  readonly ttftMs: number
  readonly gapsUs: Uint32Array
}

/**
 * @param total how many requests are sent, warm-up included: it says what is left to wait for
 * @param limitMs when a closed loop ends anyway
 */
export function createLiveRun(total: number, startMs: number, limitMs = Infinity): LiveRun {
  let counts: LoadCounts = {sent: 0, done: 0, failed: 0, inFlight: 0, tokens: 0}
  let recent: Count[] = [{atMs: startMs, answered: 0, tokens: 0}]
  let answers: Answer[] = []
  const seconds: Count[] = []
  const ttftP95s: (number | null)[] = []
  const failures = new Map<string, number>()
  const first = new Map<string, number>()
  let last: Pick<TimeSample, 'engine' | 'segments' | 'gpus'> = {}
  const grown = (
    name: 'prefix_cache_hits_total' | 'prefix_cache_queries_total' | 'preemptions_total',
  ): number | null => {
    const now = last.engine?.[name] ?? null
    return now === null ? null : now - (first.get(name) ?? now)
  }
  const closeSeconds = (nowMs: number): void => {
    while (seconds.length < Math.floor((nowMs - startMs) / 1000)) {
      seconds.push({atMs: nowMs, answered: counts.done + counts.failed, tokens: counts.tokens})
      ttftP95s.push(
        latelyOf(answers.filter(({atMs}) => nowMs - atMs <= 1000).map(({ttftMs}) => ttftMs))?.p95 ?? null,
      )
    }
  }
  const leftMs = (perSecond: number | null, nowMs: number): number | null => {
    const byTimeMs = Math.max(0, limitMs - (nowMs - startMs))
    const answered = counts.done + counts.failed
    // Whether the time or the requests end it is not known before the first answer.
    if (answered === 0) return null
    const left = total - answered
    if (perSecond === null || perSecond === 0) return Number.isFinite(byTimeMs) ? byTimeMs : null
    return Math.min((left / perSecond) * 1000, byTimeMs)
  }
  return {
    progress(now, nowMs) {
      closeSeconds(nowMs)
      counts = now
      recent = [
        ...recent.filter(({atMs}) => nowMs - atMs <= RECENT_MS),
        {atMs: nowMs, answered: now.done + now.failed, tokens: now.tokens},
      ]
    },
    answered(records, nowMs) {
      for (const {outcome, sentAtMs, firstTokenAtMs, gapsUs} of records) {
        if (isFailure(outcome)) failures.set(outcome, (failures.get(outcome) ?? 0) + 1)
        if (sentAtMs === null || firstTokenAtMs === null) continue
        answers.push({
          atMs: nowMs,
          ttftMs: firstTokenAtMs - sentAtMs,
          gapsUs: gapsUs.slice(0, GAPS_OF_AN_ANSWER),
        })
      }
      answers = answers.filter(({atMs}) => nowMs - atMs <= RECENT_MS).slice(-MOST_ANSWERS)
    },
    looked({engine, segments, gpus}) {
      last = {...last, ...(engine && {engine}), ...(segments && {segments}), ...(gpus && {gpus})}
      for (const [name, value] of Object.entries(engine ?? {}))
        if (typeof value === 'number' && !first.has(name)) first.set(name, value)
    },
    look(nowMs) {
      closeSeconds(nowMs)
      const answered = counts.done + counts.failed
      const since = recent.find(({atMs}) => nowMs - atMs <= RECENT_MS) ?? recent.at(-1)!
      const span = (nowMs - since.atMs) / 1000
      const rate = span > 0 ? (answered - since.answered) / span : null
      const [hits, queries] = [grown('prefix_cache_hits_total'), grown('prefix_cache_queries_total')]
      return {
        elapsedMs: nowMs - startMs,
        total,
        answered,
        inFlight: counts.inFlight,
        requestsPerSecond: rate,
        tokensPerSecond: span > 0 ? (counts.tokens - since.tokens) / span : null,
        leftMs: leftMs(rate, nowMs),
        ttft: latelyOf(answers.map(({ttftMs}) => ttftMs)),
        gap: latelyOf(answers.flatMap(({gapsUs}) => Array.from(gapsUs, us => us / 1000))),
        requestRates: growth(seconds, second => second.answered),
        tokenRates: growth(seconds, second => second.tokens),
        ttftP95s: ttftP95s.slice(-HISTORY_SECONDS),
        failures: [...failures].sort(([, one], [, other]) => other - one),
        engine: last.engine ?? null,
        prefixHitRatio: hits === null || queries === null || queries === 0 ? null : hits / queries,
        preemptions: grown('preemptions_total'),
        segments: last.segments ?? [],
        gpus: last.gpus ?? [],
      }
    },
  }
}

function latelyOf(values: readonly number[]): LatelyMs | null {
  const sorted = Float64Array.from(values).sort()
  const [p50, p95] = [percentile(sorted, 0.5), percentile(sorted, 0.95)]
  return p50 === null || p95 === null ? null : {p50, p95}
}

/** By how much a total grew in each second. */
function growth(seconds: readonly Count[], total: (second: Count) => number): number[] {
  return seconds.slice(-HISTORY_SECONDS).map((second, at, shown) => {
    const before = shown[at - 1] ?? seconds.at(-shown.length - 1)
    return total(second) - (before ? total(before) : 0)
  })
}
