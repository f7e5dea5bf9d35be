import {concurrency, percentile, trendOf, ttftMs, type MeasureWindow} from '../metrics/index.js'
import {RequestCursor, type RunResults} from '../runs/index.js'
import type {MeasuredRequests} from './measured-requests.js'
import {rounded} from './rounding.js'

const PARTS = 10

/**
 * Whether a run stood still while it was measured: how TTFT, requests in flight and completions grew over ten equal parts of
 * its window. A run in which both TTFT and concurrency certainly grew has no steady state, and its percentiles depend on its length.
 *
 * @returns null when the window has no ten parts with answers, or is in several pieces
 * @see vllm-project/guidellm:src/guidellm/scheduler/constraints — over-saturation: slopes of both
 */
export function stabilityOf(
  measured: MeasuredRequests,
  windows: readonly MeasureWindow[],
): RunResults['stability'] {
  const [window] = windows
  if (window === undefined || windows.length > 1) return null
  const {table, sentRows, inFlight} = measured
  const widthMs = (window.toMs - window.fromMs) / PARTS
  const partOf = (us: number): number => Math.floor((us / 1000 - window.fromMs) / widthMs)
  const ttft = Array.from({length: PARTS}, (): number[] => [])
  const done = new Array<number>(PARTS).fill(0)
  const request = new RequestCursor(table)
  for (const row of sentRows) {
    if (table.outcome[row] !== 0) continue
    const value = ttftMs(request.at(row))
    if (value !== null) ttft[partOf(table.firstTokenAtUs[row]!)]?.push(value)
    const part = partOf(table.doneAtUs[row]!)
    if (part >= 0 && part < PARTS) done[part]!++
  }
  const medians = ttft.map(values => percentile(Float64Array.from(values).sort(), 0.5))
  if (medians.includes(null)) return null
  const levels = ttft.map((_, part) => {
    const fromMs = window.fromMs + part * widthMs
    const {mean} = concurrency(inFlight.startsMs, inFlight.endsMs, [
      {...window, fromMs, toMs: fromMs + widthMs},
    ])
    return mean ?? 0
  })
  const [time, level, rate] = [medians.map(value => value!), levels, done].map(trendJson)
  if (time == null || level == null || rate == null) return null
  return {
    ttft: time,
    concurrency: level,
    throughput: rate,
    is_unstable: time.ci95[0] > 0 && level.ci95[0] > 0,
  }
}

function trendJson(values: readonly number[]): {slope: number; ci95: [number, number]} | null {
  const trend = trendOf(values)
  if (trend === null) return null
  const [low, high] = trend.interval
  return {slope: rounded(trend.slope)!, ci95: [rounded(low)!, rounded(high)!]}
}
