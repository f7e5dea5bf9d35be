import type {RunAnalysis} from '../runs/index.js'
import type {MeasuredRequests} from './measured-requests.js'

const MAX_LISTED = 100

/** Failed requests in the order of time, the first hundred and how many more. */
export function errorList({table}: MeasuredRequests): RunAnalysis['errors'] {
  const cancelledCode = table.outcomeNames.indexOf('cancelled')
  const failed: {row: number; atUs: number}[] = []
  for (let row = 0; row < table.count; row++) {
    if (table.outcome[row] === 0 || table.isWarmup[row] === 1 || table.outcome[row] === cancelledCode)
      continue
    const times = [table.doneAtUs[row]!, table.sentAtUs[row]!, table.scheduledAtUs[row]!]
    failed.push({row, atUs: times.find(at => !Number.isNaN(at)) ?? Infinity})
  }
  failed.sort((left, right) => left.atUs - right.atUs || table.id[left.row]! - table.id[right.row]!)
  const listed = failed.slice(0, MAX_LISTED).map(({row, atUs}) => ({
    timestamp: Number.isFinite(atUs) ? new Date(table.epochMs(atUs / 1000)).toISOString() : null,
    error: table.outcomeNames[table.outcome[row]!]!,
    details: table.errors.get(row) ?? '',
  }))
  const rest = failed.length - listed.length
  return rest === 0
    ? listed
    : [...listed, {timestamp: null, error: 'truncated', details: `${rest} more failed requests`}]
}
