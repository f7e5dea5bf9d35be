import {formatDurationMs} from '../lib/foundation/index.js'
import {isFailure, type RunResults} from '../lib/runs/index.js'

const UNKNOWN = 'N/A'
const LATENCIES = [
  ['ttft', 'TTFT', 'send to first token'],
  ['e2e', 'E2E', 'send to last token'],
  ['tpot', 'TPOT', 'mean time per token after the first'],
  ['icl', 'ICL', 'gap between chunks, all pooled'],
] as const

/** What a run found, in a dozen lines for a terminal; figures in milliseconds. */
export function runSummary(results: RunResults): string {
  const {requests, window} = results
  const failures = Object.entries(results.outcomes).filter(([name]) => isFailure(name))
  const seconds = window.seconds === null ? '' : ` in ${formatDurationMs(window.seconds * 1000)}`
  const lines = [
    `Run ${results.run_id}: ${requests.success} of ${requests.total} requests succeeded${seconds}`,
    ...(failures.length === 0
      ? []
      : [`Failed: ${failures.map(([name, count]) => `${count} ${name}`).join(', ')}`]),
    '',
    row(['ms', 'mean', 'p50', 'p95', 'p99', 'max'], ''),
    ...LATENCIES.map(([name, label, meaning]) => latencyRow(results, name, label, meaning)),
    '',
    `Throughput   ${decimals(results.throughput_rps)} requests/s, ${decimals(results.tokens_per_sec)} output tokens/s`,
  ]
  const concurrency = measure(results, 'concurrency_mean')
  if (concurrency !== null) lines.push(`In flight    ${decimals(concurrency)} on average`)
  const server = serverLine(results)
  if (server !== null) lines.push(`Server       ${server}`)
  lines.push(...stageLines(results), ...tenantLines(results))
  if (results.server?.cause) lines.push(`First token  ${results.server.cause.message}`)
  return lines.join('\n')
}

/** What each stage was to send, and how that went. */
function stageLines({stages}: RunResults): string[] {
  return stages.map(
    ({rate_per_second: rate, concurrency, seconds, requests, successes, throughput_rps: rps, ttft, e2e}) =>
      `Stage        ${rate === null ? `${concurrency} at a time` : `${rate}/s`} for ${formatDurationMs(seconds * 1000)}: ${successes} of ${requests} requests, ${decimals(rps)}/s, TTFT p95 ${decimals(ttft.p95)} ms, E2E p95 ${decimals(e2e.p95)} ms`,
  )
}

/** What each tenant got, and how even that is. */
function tenantLines({tenants, fairness}: RunResults): string[] {
  const rows = Object.entries(tenants).map(
    ([name, {successes, requests, ttft, e2e}]) =>
      `Tenant       ${name}: ${successes} of ${requests} requests, TTFT p95 ${decimals(ttft.p95)} ms, E2E p95 ${decimals(e2e.p95)} ms`,
  )
  if (fairness === null) return rows
  return [
    ...rows,
    `Fairness     ${decimals(fairness.jain_speed)} of 1 by Jain's index of tokens a second that a request sees`,
  ]
}

/** What the server said of itself; null when it said nothing. */
function serverLine(results: RunResults): string | null {
  const {server} = results
  if (server === null) return null
  const usage = measure(results, 'kv_cache_usage_max')
  const parts = [
    ...(usage == null ? [] : [`KV cache ${percent(usage)} full at most`]),
    ...(server.prefix_cache_hit_ratio === null
      ? []
      : [`${percent(server.prefix_cache_hit_ratio)} of prompt tokens cached`]),
    ...(server.preemptions ? [`${server.preemptions} preemptions`] : []),
  ]
  return parts.length === 0 ? null : parts.join(', ')
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`
}

function latencyRow(results: RunResults, name: string, label: string, meaning: string): string {
  const metric = results.metrics[name]
  if (metric === undefined || !('count' in metric))
    return row([label, ...Array<string>(5).fill(UNKNOWN)], meaning)
  return row([label, ...[metric.mean, metric.p50, metric.p95, metric.p99, metric.max].map(decimals)], meaning)
}

function measure(results: RunResults, name: string): number | null {
  const metric = results.metrics[name]
  return metric !== undefined && 'value' in metric ? metric.value : null
}

function row([head, ...cells]: string[], meaning: string): string {
  return `${head!.padEnd(6)}${cells.map(cell => cell.padStart(10)).join('')}   ${meaning}`.trimEnd()
}

function decimals(value: number | null): string {
  if (value === null) return UNKNOWN
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1)
}
