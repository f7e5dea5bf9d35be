import {closedLoopWindow, openLoopWindow, wholeRunWindow, type MeasureWindow} from '../metrics/index.js'
import type {RequestTable, RunMeta} from '../runs/index.js'
import {sentColumnMs, type MeasuredRequests} from './measured-requests.js'

/** Run time in which one part of a run lies. */
interface PartSpan {
  readonly fromMs: number
  readonly toMs: number
}

/**
 * The spans by which throughput and concurrency are judged: one, or one in each part of a resumed run. A part that was cut
 * short is judged until it sent the first request of which nothing is left, because from then on the records tell of less
 * work than the server did.
 */
export function measureWindows(measured: MeasuredRequests, meta: RunMeta): readonly MeasureWindow[] {
  return spansOf(meta).flatMap(span => {
    const window = windowOf(measured, meta, span)
    if (window === null) return []
    const toMs = Math.min(window.toMs, firstLossMs(measured, meta, span))
    return toMs > window.fromMs ? [{...window, toMs}] : []
  })
}

function spansOf({parts}: RunMeta): PartSpan[] {
  const edges = [-Infinity, ...parts.slice(1).map(part => part.run_ms), Infinity]
  return edges.slice(1).map((toMs, index) => ({fromMs: edges[index]!, toMs}))
}

function windowOf(measured: MeasuredRequests, meta: RunMeta, span: PartSpan): MeasureWindow | null {
  const {table} = measured
  const part = {...measured, sentRows: rowsWithin(measured.sentRows, table.sentAtUs, span)}
  const sent = {sentAtMs: sentColumnMs(part, table.sentAtUs), doneAtMs: sentColumnMs(part, table.doneAtUs)}
  if (meta.mode === 'open') {
    const {firstMs, lastMs} = scheduledSpan(table, span)
    return openLoopWindow(firstMs, lastMs) ?? wholeRunWindow(sent)
  }
  // Slots that change in number are all busy only for a part of the time.
  if (meta.mode !== 'closed' || meta.concurrency === null || meta.pattern === 'stages')
    return wholeRunWindow(sent)
  return closedLoopWindow(sent, meta.concurrency)
}

function rowsWithin(rows: Uint32Array, atUs: Float64Array, {fromMs, toMs}: PartSpan): Uint32Array {
  if (fromMs === -Infinity && toMs === Infinity) return rows
  return rows.filter(row => atUs[row]! >= fromMs * 1000 && atUs[row]! < toMs * 1000)
}

/** Requests that were never sent had a place in the schedule too. */
function scheduledSpan(table: RequestTable, span: PartSpan): {firstMs: number; lastMs: number} {
  let [first, last] = [Infinity, -Infinity]
  for (let row = 0; row < table.count; row++) {
    const atMs = table.scheduledAtUs[row]! / 1000
    if (table.isWarmup[row] === 1 || !(atMs >= span.fromMs && atMs < span.toMs)) continue
    first = Math.min(first, atMs)
    last = Math.max(last, atMs)
  }
  return {firstMs: first, lastMs: last}
}

/**
 * When a part sent the first request that a later part had to send again. Ids go out in ascending order, so everything that
 * it sent before is known: in a closed loop send n takes the slot of end n − slots; in an open one, or where an end is not
 * known, it came after the send before it.
 *
 * @returns Infinity for the last part
 */
function firstLossMs(measured: MeasuredRequests, meta: RunMeta, {fromMs, toMs}: PartSpan): number {
  if (toMs === Infinity) return Infinity
  const {table, sentRows} = measured
  const later = rowsWithin(sentRows, table.sentAtUs, {fromMs: toMs, toMs: Infinity})
  const lostId = later.reduce((least, row) => Math.min(least, table.id[row]!), Infinity)
  const allRows = Uint32Array.from({length: table.count}, (_, row) => row)
  const before = rowsWithin(allRows, table.sentAtUs, {fromMs, toMs}).filter(row => table.id[row]! < lostId)
  const ends = Float64Array.from(before, row => table.doneAtUs[row]!).sort()
  const slots = meta.mode === 'closed' ? meta.concurrency : null
  if (slots !== null && !ends.some(Number.isNaN)) return (ends[ends.length - slots] ?? -Infinity) / 1000
  const lastId = before.reduce((last, row) => Math.max(last, table.id[row]!), 0)
  const lastRow = before.find(row => table.id[row] === lastId)
  return lastRow === undefined ? -Infinity : table.sentAtUs[lastRow]! / 1000
}
