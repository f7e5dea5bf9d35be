import {sortSamples, type RequestTimes} from '../metrics/index.js'
import {RequestCursor, type RequestTable} from '../runs/index.js'

/** The rows of a table that a run is judged by, warm-up left out. */
export interface MeasuredRequests {
  readonly table: RequestTable
  /** Requests that were sent, in the order of sending. */
  readonly sentRows: Uint32Array
  /** Those included that failed or were never sent, not those that the client was to hang up on. */
  readonly total: number
  readonly successes: number
  /** Scheduled and never sent. */
  readonly notSent: number
  /** The client was to hang up on them: they are neither successes nor failures. */
  readonly cancelled: number
  /** Sends and ends of the requests that were sent and ended, each ascending, ms since the origin. */
  readonly inFlight: {readonly startsMs: Float64Array; readonly endsMs: Float64Array}
}

export function measuredRequests(table: RequestTable): MeasuredRequests {
  const rows = new Uint32Array(table.count)
  let [sent, total, successes, notSent, cancelled] = [0, 0, 0, 0, 0]
  const [notSentCode, cancelledCode] = ['not_sent', 'cancelled'].map(name => table.outcomeNames.indexOf(name))
  for (let row = 0; row < table.count; row++) {
    if (table.isWarmup[row] === 1) continue
    total++
    if (table.outcome[row] === 0) successes++
    else if (table.outcome[row] === notSentCode) notSent++
    else if (table.outcome[row] === cancelledCode) cancelled++
    if (!Number.isNaN(table.sentAtUs[row]!)) rows[sent++] = row
  }
  const sentRows = rows.slice(0, sent)
  sentRows.sort(
    (left, right) => table.sentAtUs[left]! - table.sentAtUs[right]! || table.id[left]! - table.id[right]!,
  )
  const counts = {total: total - cancelled, successes, notSent, cancelled}
  return {table, sentRows, ...counts, inFlight: inFlightOf(table, sentRows)}
}

/** The values of one metric over successful requests, in the order of sending; requests without a value are left out. */
export function samplesOf(
  {table, sentRows, successes}: Pick<MeasuredRequests, 'table' | 'sentRows' | 'successes'>,
  metric: (request: RequestTimes, row: number) => number | null,
  isWanted: (row: number) => boolean = () => true,
): Float64Array {
  const samples = new Float64Array(successes)
  const request = new RequestCursor(table)
  let count = 0
  for (const row of sentRows) {
    if (table.outcome[row] !== 0 || !isWanted(row)) continue
    const value = metric(request.at(row), row)
    if (value !== null) samples[count++] = value
  }
  return samples.subarray(0, count)
}

/** The values of one metric over all requests that were sent, failed ones included. */
export function samplesOfSent(
  {table, sentRows}: MeasuredRequests,
  metric: (request: RequestTimes) => number | null,
): Float64Array {
  const samples = new Float64Array(sentRows.length)
  const request = new RequestCursor(table)
  let count = 0
  for (const row of sentRows) {
    const value = metric(request.at(row))
    if (value !== null) samples[count++] = value
  }
  return samples.subarray(0, count)
}

/** One column in the order of sending, in milliseconds; NaN stays NaN. */
export function sentColumnMs({sentRows}: MeasuredRequests, columnUs: Float64Array): Float64Array {
  const values = new Float64Array(sentRows.length)
  for (let index = 0; index < sentRows.length; index++) values[index] = columnUs[sentRows[index]!]! / 1000
  return values
}

function inFlightOf({sentAtUs, doneAtUs}: RequestTable, sentRows: Uint32Array): MeasuredRequests['inFlight'] {
  const startsMs = new Float64Array(sentRows.length)
  const endsMs = new Float64Array(sentRows.length)
  let count = 0
  for (const row of sentRows) {
    if (Number.isNaN(doneAtUs[row]!)) continue
    startsMs[count] = sentAtUs[row]! / 1000
    endsMs[count++] = doneAtUs[row]! / 1000
  }
  return {startsMs: startsMs.subarray(0, count), endsMs: sortSamples(endsMs.subarray(0, count))}
}
