import type {RunResults} from '../lib/runs/index.js'

/**
 * What a run found, for a person at a terminal: one line of totals and the distributions that matter, milliseconds.
 *
 * @returns lines without a trailing newline
 */
export function benchSummary(results: RunResults): string {
  const {requests, performance: seen, tokens_per_sec: tokens, metrics} = results
  const rows = [
    ['TTFT', 'ttft'],
    ['TPOT', 'tpot'],
    ['ICL', 'icl'],
    ['E2E', 'e2e'],
  ].flatMap(([label, name]) => {
    const metric = metrics[name!]
    if (metric === undefined || 'value' in metric || metric.count === 0) return []
    return [[label!, ...[metric.mean, metric.p50, metric.p90, metric.p95, metric.p99, metric.max].map(cell)]]
  })
  const table = [['ms', 'mean', 'p50', 'p90', 'p95', 'p99', 'max'], ...rows].map(row =>
    row.map((text, column) => (column === 0 ? text.padEnd(6) : text.padStart(10))).join(''),
  )
  const totals = [
    `${requests.success} of ${requests.total} requests succeeded`,
    ...(seen.throughput_rps === null ? [] : [`${seen.throughput_rps.toFixed(2)} req/s`]),
    ...(tokens === null ? [] : [`${tokens.toFixed(1)} output tokens/s`]),
  ].join(' · ')
  const warnings = results.warnings.map(({message}) => `Note: ${message}`)
  return [
    totals,
    '',
    ...(rows.length > 0 ? table : []),
    ...(warnings.length > 0 ? ['', ...warnings] : []),
  ].join('\n')
}

function cell(value: number | null): string {
  return value === null ? 'N/A' : value.toFixed(2)
}
