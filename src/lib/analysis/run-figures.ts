import {
  closedLoopWindow,
  concurrency,
  littleCheck,
  openLoopWindow,
  wholeRunWindow,
  type Concurrency,
  type MeasureWindow,
} from '../metrics/index.js'
import type {RequestTable, RunMeta} from '../runs/index.js'
import {sentColumnMs, type MeasuredRequests} from './measured-requests.js'
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

/** The span by which throughput and concurrency are judged. */
export function measureWindow(measured: MeasuredRequests, meta: RunMeta): MeasureWindow | null {
  const sent = {
    sentAtMs: sentColumnMs(measured, measured.table.sentAtUs),
    doneAtMs: sentColumnMs(measured, measured.table.doneAtUs),
  }
  if (meta.mode === 'open') {
    const {firstMs, lastMs} = scheduledSpan(measured.table)
    return openLoopWindow(firstMs, lastMs) ?? wholeRunWindow(sent)
  }
  if (meta.mode !== 'closed' || meta.concurrency === null) return wholeRunWindow(sent)
  return closedLoopWindow(sent, meta.concurrency)
}

/** Throughput and concurrency over a window. */
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
 * @param tokensInWindow output tokens that arrived in the window
 * @param meanE2eMs for the check by Little's law
 */
export function windowFigures(
  measured: MeasuredRequests,
  window: MeasureWindow | null,
  tokensInWindow: number,
  meanE2eMs: number | null,
): WindowFigures {
  const {table, sentRows} = measured
  const isInside = (us: number): boolean =>
    window !== null &&
    us >= window.fromMs * 1000 &&
    (window.rule === 'whole-run' ? us <= window.toMs * 1000 : us < window.toMs * 1000)
  const seconds = window === null ? null : (window.toMs - window.fromMs) / 1000
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
  const inFlight = concurrency(startsMs, endsMs, window?.fromMs ?? 0, window?.toMs ?? 0)
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

/** Requests that were never sent had a place in the schedule too. */
function scheduledSpan(table: RequestTable): {firstMs: number; lastMs: number} {
  let [first, last] = [Infinity, -Infinity]
  for (let row = 0; row < table.count; row++) {
    const at = table.scheduledAtUs[row]!
    if (table.isWarmup[row] === 1 || Number.isNaN(at)) continue
    first = Math.min(first, at)
    last = Math.max(last, at)
  }
  return {firstMs: first / 1000, lastMs: last / 1000}
}
