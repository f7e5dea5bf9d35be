import type {PointSummary, SweepFile} from '../lib/sweep/index.js'
import {alignColumns, type Column} from './align-columns.js'

const METRICS: readonly (readonly [title: string, metric: string, digits: number])[] = [
  ['req/s', 'throughput_rps', 2],
  ['tok/s', 'tokens_per_sec', 1],
  ['ttft p50 ms', 'ttft_p50_ms', 1],
  ['ttft p95 ms', 'ttft_p95_ms', 1],
  ['p95 ms', 'p95_ms', 1],
  ['errors', 'error_rate', 3],
]

/** One line a combination; ± is half the 95 % interval over repetitions. */
export function sweepText({axes}: SweepFile, summary: readonly PointSummary[]): string {
  const columns: Column[] = [
    ...axes.map(({name}): Column => [name, 'left']),
    ['runs', 'right'],
    ...METRICS.map(([title]): Column => [title, 'right']),
  ]
  const rows = summary.map(({values, runs, failed, metrics}) => [
    ...axes.map(({name}) => values[name] ?? ''),
    failed === 0 ? String(runs) : `${runs} (${failed} failed)`,
    ...METRICS.map(([, metric, digits]) => {
      const {mean, ci_high} = metrics[metric]!
      if (mean === null) return 'N/A'
      return ci_high === null
        ? mean.toFixed(digits)
        : `${mean.toFixed(digits)} ± ${(ci_high - mean).toFixed(digits)}`
    }),
  ])
  return alignColumns(columns, rows).join('\n')
}

/** What a search found. */
export function kneeText({knee, points}: SweepFile): string {
  const runs = `${points.length} runs`
  if (knee === null) return `No answer yet after ${runs}.`
  const {axis, best, failing, limiting} = knee
  if (best === null)
    return `No value of ${axis} keeps the goals; the lowest tried was ${short(failing!)} (${runs}).`
  const above = failing === null ? `; nothing above was tried` : `; ${short(failing)} does not`
  const why = limiting.length === 0 ? '' : `\nLimited by ${limiting.join('; ')}`
  return `Highest ${axis} that keeps the goals: ${short(best)}${above} (${runs}).${why}`
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)))
}
