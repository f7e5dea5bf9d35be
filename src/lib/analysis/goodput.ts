import {
  e2eMs,
  e2eSchedMs,
  isGood,
  meets,
  SLO_METRICS,
  tpotMs,
  ttftMs,
  ttftSchedMs,
  type MeasureWindow,
  type SloLimits,
  type SloMetric,
} from '../metrics/index.js'
import {RequestCursor, type RunMeta, type RunResults} from '../runs/index.js'
import type {MeasuredRequests} from './measured-requests.js'
import {ratio, rounded} from './rounding.js'
import {isWithin, lengthMs} from './run-figures.js'

/**
 * What of a run met its goals: requests and tokens a second that ended in the windows, and shares of all requests that were
 * scheduled in them, failed and unsent ones included. In an open loop time counts from the schedule.
 *
 * @returns nothing without goals
 */
export function goodputBlock(
  measured: MeasuredRequests,
  maxGapUs: Float64Array,
  windows: readonly MeasureWindow[],
  limits: SloLimits | null,
  mode: RunMeta['mode'],
): RunResults['metrics'] {
  if (limits === null) return {}
  const {table} = measured
  const isInside = (us: number): boolean => windows.some(window => isWithin(window, us))
  const request = new RequestCursor(table)
  const asked = SLO_METRICS.filter(metric => limits[metric] !== undefined)
  const met: Record<SloMetric, number> = {ttft: 0, tpot: 0, max_gap: 0, e2e: 0}
  let [scheduled, good, goodInWindow, tokens, notApplicable] = [0, 0, 0, 0, 0]
  const [ttft, e2e] = mode === 'open' ? [ttftSchedMs, e2eSchedMs] : [ttftMs, e2eMs]
  for (let row = 0; row < table.count; row++) {
    if (table.isWarmup[row] === 1) continue
    const isScheduled = isInside(table.scheduledAtUs[row]!)
    if (isScheduled) scheduled++
    if (table.outcome[row] !== 0) continue
    request.at(row)
    const gap = maxGapUs[row]!
    const values = {
      ttft: ttft(request),
      tpot: tpotMs(request),
      max_gap: Number.isNaN(gap) ? null : gap / 1000,
      e2e: e2e(request),
    }
    const isRequestGood = isGood(limits, values)
    if (isScheduled) {
      if (isRequestGood) good++
      if (asked.some(metric => values[metric] === null)) notApplicable++
      for (const metric of asked) if (meets(limits, values, metric)) met[metric]++
    }
    if (!isRequestGood || !isInside(table.doneAtUs[row]!)) continue
    goodInWindow++
    tokens += Math.max(0, table.completionTokens[row]!)
  }
  const seconds = windows.length === 0 ? null : lengthMs(windows) / 1000
  const measure = (value: number | null, unit: string) => ({unit, value: rounded(value)})
  return {
    goodput: measure(ratio(goodInWindow, seconds), 'requests/s'),
    token_goodput: measure(ratio(tokens, seconds), 'tokens/s'),
    good_fraction: measure(ratio(good, scheduled), 'ratio'),
    ...Object.fromEntries(
      asked.map(metric => [`slo_attainment_${metric}`, measure(ratio(met[metric], scheduled), 'ratio')]),
    ),
    slo_not_applicable: measure(notApplicable, 'requests'),
  }
}
