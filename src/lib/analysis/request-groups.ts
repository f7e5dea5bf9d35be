import {
  e2eMs,
  e2eSchedMs,
  jainIndex,
  percentile,
  summarize,
  tpotMs,
  ttftMs,
  ttftSchedMs,
  type MeasureWindow,
  type RequestTimes,
} from '../metrics/index.js'
import type {RequestTable, RunResults} from '../runs/index.js'
import {distributionJson} from './distributions.js'
import {samplesOf, type MeasuredRequests} from './measured-requests.js'
import {ratio, rounded} from './rounding.js'
import {isWithin, lengthMs} from './run-figures.js'

type Group = RunResults['phases'][string]

/**
 * What each phase of a run was like: warm-up, ramp (sent before the window), measure (sent within it), drain (after it). Only
 * the measured phase is steady; the others show what is kept out of it.
 */
export function phaseGroups(
  measured: MeasuredRequests,
  windows: readonly MeasureWindow[],
  isOpen: boolean,
): RunResults['phases'] {
  const {table, sentRows} = measured
  const lastMs = windows.at(-1)?.toMs ?? Infinity
  const phaseOf = (row: number): string => {
    const us = table.sentAtUs[row]!
    if (windows.some(window => isWithin(window, us))) return 'measure'
    return us >= lastMs * 1000 ? 'drain' : 'ramp'
  }
  const groups = new Map<string, number[]>()
  for (let row = 0; row < table.count; row++)
    if (table.isWarmup[row] === 1 && !Number.isNaN(table.sentAtUs[row]!)) put(groups, 'warmup', row)
  for (const row of sentRows) put(groups, phaseOf(row), row)
  const seconds = windows.length === 0 ? null : lengthMs(windows) / 1000
  return Object.fromEntries(
    ['warmup', 'ramp', 'measure', 'drain'].flatMap(name => {
      const rows = groups.get(name)
      return rows === undefined
        ? []
        : [[name, groupJson(table, rows, name === 'measure' ? seconds : null, isOpen)] as const]
    }),
  )
}

/** What each tenant got, in the order of their names; nothing without tenants. */
export function tenantGroups({table, sentRows}: MeasuredRequests, isOpen: boolean): RunResults['tenants'] {
  const groups = new Map<string, number[]>()
  for (const row of sentRows) {
    const name = table.tenantNames[table.tenant[row]!]!
    if (name !== '') put(groups, name, row)
  }
  const names = [...groups.keys()].sort()
  return Object.fromEntries(names.map(name => [name, groupJson(table, groups.get(name)!, null, isOpen)]))
}

/** How evenly tenants were served; null with fewer than two. */
export function fairnessOf(tenants: RunResults['tenants']): RunResults['fairness'] {
  const all = Object.values(tenants)
  if (all.length < 2) return null
  const tokens = all.map(({tokens_per_sec: rate}) => rate ?? 0)
  const speeds = all.map(({e2e_tokens_per_sec: speed}) => speed ?? 0)
  const total = all.reduce((sum, {successes}) => sum + successes, 0)
  const shares = all.map(({successes}) => (total === 0 ? 0 : successes / total))
  const p95s = all.flatMap(({e2e}) => e2e.p95 ?? [])
  return {
    jain_tokens: rounded(jainIndex(tokens)),
    jain_speed: rounded(jainIndex(speeds)),
    throughput_share_diff: rounded(Math.max(...shares) - Math.min(...shares))!,
    tenant_p95_ms: p95s.length === 0 ? null : Math.max(...p95s),
    p95_ratio: p95s.length < all.length ? null : rounded(ratio(Math.max(...p95s), Math.min(...p95s))),
  }
}

function put(groups: Map<string, number[]>, name: string, row: number): void {
  const rows = groups.get(name)
  if (rows) rows.push(row)
  else groups.set(name, [row])
}

/** @param seconds over which rates are; null takes the group's own span, from its first send to its last end */
export function groupJson(
  table: RequestTable,
  rowList: readonly number[],
  seconds: number | null,
  isOpen: boolean,
): Group {
  const sentRows = Uint32Array.from(rowList).sort(
    (left, right) => table.sentAtUs[left]! - table.sentAtUs[right]! || table.id[left]! - table.id[right]!,
  )
  const cancelledCode = table.outcomeNames.indexOf('cancelled')
  let [judged, successes, tokens, speedSum, speeds] = [0, 0, 0, 0, 0]
  let [from, to] = [Infinity, -Infinity]
  for (const row of sentRows) {
    from = Math.min(from, table.sentAtUs[row]!)
    if (table.doneAtUs[row]! > to) to = table.doneAtUs[row]!
    if (table.outcome[row] !== cancelledCode) judged++
    if (table.outcome[row] !== 0) continue
    successes++
    const count = Math.max(0, table.completionTokens[row]!)
    const spanUs = table.lastTokenAtUs[row]! - table.sentAtUs[row]!
    tokens += count
    if (!(count > 0 && spanUs > 0)) continue
    speedSum += count / (spanUs / 1e6)
    speeds++
  }
  const group = {table, sentRows, successes}
  const sampled = (metric: (request: RequestTimes) => number | null, unit: string) =>
    distributionJson(summarize(samplesOf(group, metric)), unit)
  const span = seconds ?? (to > from ? (to - from) / 1e6 : null)
  return {
    requests: judged,
    successes,
    error_rate: rounded(ratio(judged - successes, judged)),
    throughput_rps: rounded(ratio(successes, span)),
    tokens_per_sec: rounded(ratio(tokens, span)),
    e2e_tokens_per_sec: rounded(ratio(speedSum, speeds)),
    ttft: sampled(ttftMs, 'ms'),
    tpot: sampled(tpotMs, 'ms/token'),
    e2e: sampled(e2eMs, 'ms'),
    // Only where there was a schedule: elsewhere it is the same to the millisecond, and a million samples take their time.
    ...(isOpen && {ttft_sched: sampled(ttftSchedMs, 'ms'), e2e_sched: sampled(e2eSchedMs, 'ms')}),
  }
}

/** Percentiles in which every failed request counts as slower than all others; null where that reaches them. */
export function adjustedPercentile(sorted: Float64Array, failures: number, quantile: number): number | null {
  const all = sorted.length + failures
  if (all === 0) return null
  const position = quantile * (all - 1)
  return Math.ceil(position) >= sorted.length
    ? null
    : percentile(sorted, position / Math.max(1, sorted.length - 1))
}
