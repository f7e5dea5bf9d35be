import type {RunResults} from '../runs/index.js'
import {formatCount, formatMs, formatNumber, formatPercent} from './format.js'
import type {GroupRow} from './report-data.js'

type Group = RunResults['phases'][string]

const PHASES: Readonly<Record<string, string>> = {
  warmup: 'Warm-up',
  ramp: 'Before the window',
  measure: 'Measured window',
  drain: 'After the window',
}

/** Phases, stages and tenants of a run; phases only where there is more than one. */
export function groupRows({phases, stages, tenants}: RunResults): GroupRow[] {
  const named = Object.entries(phases)
  return [
    ...(named.length < 2 ? [] : named.map(([name, group]) => rowOf('Phase', PHASES[name] ?? name, group))),
    ...stages.map((stage, place) => rowOf('Stage', `${place + 1}: ${loadOf(stage)}`, stage)),
    ...Object.entries(tenants).map(([name, group]) => rowOf('Tenant', name, group)),
  ]
}

function loadOf({rate_per_second: rate, concurrency, seconds}: RunResults['stages'][number]): string {
  return `${rate === null ? `${concurrency} at a time` : `${rate}/s`} for ${seconds} s`
}

function rowOf(kind: GroupRow['kind'], name: string, group: Group): GroupRow {
  return {
    ...{kind, name, requests: group.requests, errorRate: group.error_rate},
    ...{requestsPerSecond: group.throughput_rps, tokensPerSecond: group.tokens_per_sec},
    ...{ttftP50Ms: group.ttft.p50, ttftP95Ms: group.ttft.p95},
    ...{tpotP50Ms: group.tpot.p50, e2eP95Ms: group.e2e.p95},
  }
}

/** Of the table of them, in every form of a report. */
export const GROUP_COLUMNS = [
  'Requests',
  'Errors',
  'Requests/s',
  'Tokens/s',
  'TTFT p50',
  'TTFT p95',
  'TPOT p50',
  'E2E p95',
]

/** What stands in these columns. */
export function groupCells(row: GroupRow): string[] {
  return [
    formatCount(row.requests),
    formatPercent(row.errorRate),
    ...[row.requestsPerSecond, row.tokensPerSecond].map(formatNumber),
    ...[row.ttftP50Ms, row.ttftP95Ms, row.tpotP50Ms, row.e2eP95Ms].map(formatMs),
  ]
}
