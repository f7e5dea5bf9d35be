import {concurrency, littleCheck, type Concurrency, type MeasureWindow} from '../metrics/index.js'
import type {RequestTable} from '../runs/index.js'
import type {MeasuredRequests} from './measured-requests.js'
import {ratio} from './rounding.js'

/** Upstream's span of a run: from the first send to the last end of body, over all requests. Milliseconds since the origin. */
export interface WholeSpan {
  readonly startMs: number | null
  readonly endMs: number | null
  readonly seconds: number | null
}

export function wholeSpan({table, sentRows}: MeasuredRequests): WholeSpan {
  let [start, end] = [Infinity, -Infinity]
  for (const row of sentRows) {
    start = Math.min(start, table.sentAtUs[row]!)
    const done = table.doneAtUs[row]!
    if (done > end) end = done
  }
  return {
    startMs: Number.isFinite(start) ? start / 1000 : null,
    endMs: Number.isFinite(end) ? end / 1000 : null,
    seconds: end > start ? (end - start) / 1e6 : null,
  }
}

/** Throughput and concurrency over the windows of a run together. */
export interface WindowFigures {
  readonly seconds: number | null
  readonly requestsPerSecond: number | null
  readonly outputTokensPerSecond: number | null
  readonly inputTokensPerSecond: number | null
  readonly scheduledPerSecond: number | null
  readonly sentPerSecond: number | null
  readonly concurrency: Concurrency
  readonly littleCheck: number | null
}

/**
 * @param tokensInWindow output tokens that arrived in the windows
 * @param meanE2eMs for the check by Little's law
 */
export function windowFigures(
  measured: MeasuredRequests,
  windows: readonly MeasureWindow[],
  tokensInWindow: number,
  meanE2eMs: number | null,
): WindowFigures {
  const {table, sentRows} = measured
  const isInside = (us: number): boolean => windows.some(window => isWithin(window, us))
  const seconds = windows.length === 0 ? null : lengthMs(windows) / 1000
  const rate = (count: number): number | null => ratio(count, seconds)
  let [completed, inputTokens, scheduled, sent] = [0, 0, 0, 0]
  let isInputKnown = false
  for (const row of sentRows) {
    if (table.outcome[row] === 0 && isInside(table.doneAtUs[row]!)) completed++
    if (isInside(table.sentAtUs[row]!)) sent++
    if (table.promptTokens[row]! < 0) continue
    isInputKnown = true
    if (isInside(firstAnswerUs(table, row))) inputTokens += table.promptTokens[row]!
  }
  for (let row = 0; row < table.count; row++) {
    if (table.isWarmup[row] === 0 && isInside(table.scheduledAtUs[row]!)) scheduled++
  }
  const {startsMs, endsMs} = measured.inFlight
  const inFlight = concurrency(startsMs, endsMs, windows)
  return {
    seconds,
    requestsPerSecond: rate(completed),
    outputTokensPerSecond: rate(tokensInWindow),
    inputTokensPerSecond: isInputKnown ? rate(inputTokens) : null,
    scheduledPerSecond: rate(scheduled),
    sentPerSecond: rate(sent),
    concurrency: inFlight,
    littleCheck: littleCheck(rate(completed), meanE2eMs, inFlight.mean),
  }
}

/** The last event of a whole run belongs to it. @param us microseconds of run time; NaN is outside */
export function isWithin({fromMs, toMs, rule}: MeasureWindow, us: number): boolean {
  return us >= fromMs * 1000 && us < toMs * 1000 + (rule === 'whole-run' ? 1 : 0)
}

export function lengthMs(windows: readonly MeasureWindow[]): number {
  return windows.reduce((sum, {fromMs, toMs}) => sum + toMs - fromMs, 0)
}

/** Sums of the known token counts of successful requests; null when none is known. */
export function tokenTotals(measured: MeasuredRequests): {prompt: number | null; completion: number | null} {
  const {table, sentRows} = measured
  const total = (column: Int32Array): number | null => {
    let sum: number | null = null
    for (const row of sentRows)
      if (table.outcome[row] === 0 && column[row]! >= 0) sum = (sum ?? 0) + column[row]!
    return sum
  }
  return {prompt: total(table.promptTokens), completion: total(table.completionTokens)}
}

function firstAnswerUs(table: RequestTable, row: number): number {
  const first = table.firstTokenAtUs[row]!
  return Number.isNaN(first) ? table.doneAtUs[row]! : first
}
