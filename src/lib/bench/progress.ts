import {formatDurationMs} from '../foundation/index.js'
import type {LoadCounts} from './load-loop.js'

/** How far a run is, in one line. */
export interface ProgressMeter {
  /** @param nowMs any monotonic clock */
  line(counts: LoadCounts, nowMs: number): string
}

/** How far back the shown rate looks. */
const RECENT_MS = 5000

/** @param total how many requests are sent, warm-up included: the line says what is left to wait for */
export function createProgressMeter(total: number): ProgressMeter {
  let looks: {atMs: number; answered: number; tokens: number}[] = []
  return {
    line(counts, nowMs) {
      const answered = counts.done + counts.failed
      looks = [
        ...looks.filter(look => nowMs - look.atMs <= RECENT_MS),
        {atMs: nowMs, answered, tokens: counts.tokens},
      ]
      const [oldest] = looks
      const seconds = (nowMs - oldest!.atMs) / 1000
      const rate = seconds > 0 ? (answered - oldest!.answered) / seconds : null
      const tokenRate = seconds > 0 ? (counts.tokens - oldest!.tokens) / seconds : null
      const leftMs = rate === null || rate === 0 ? null : ((total - answered) / rate) * 1000
      return [
        `${answered}/${total} requests`,
        ...(counts.failed > 0 ? [`${counts.failed} failed`] : []),
        `${counts.inFlight} in flight`,
        ...(rate === null ? [] : [`${rate.toFixed(1)} req/s`, `${Math.round(tokenRate!)} tok/s`]),
        ...(leftMs === null ? [] : [`${formatDurationMs(leftMs)} left`]),
      ].join(' · ')
    },
  }
}
