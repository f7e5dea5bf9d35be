import type {InstrumentFigures} from './client-limited.js'
import {errorLimits} from './client-limited.js'

export interface WorkersInUse {
  readonly workers: number
  /** Of the busiest, 0–1. */
  readonly cpuShareMax: number | null
}

/** A process that is busy for more than this of its time is late too often to measure with. */
const CPU_SHARE_LIMIT = 0.7

/**
 * How many load processes would have kept every limit, if their errors fall as their shares of the load do: what a process is
 * late by is the time that it takes to work off what came at once.
 */
export function workersNeeded(figures: InstrumentFigures, {workers, cpuShareMax}: WorkersInUse): number {
  const limits = errorLimits(figures)
  const over = (value: number | null, limit: number | null): number =>
    value === null || limit === null || limit <= 0 ? 0 : value / limit
  const factor = Math.max(
    over(figures.latenessP99Ms, limits.latenessMs),
    over(figures.ttftErrorP99Ms, limits.ttftErrorMs),
    over(figures.gapErrorP99Ms, limits.gapErrorMs),
    over(cpuShareMax, CPU_SHARE_LIMIT),
  )
  return Math.max(workers, Math.ceil(workers * factor))
}
