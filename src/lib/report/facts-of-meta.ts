import type {RunMeta, RunResults} from '../runs/index.js'
import {formatCount, formatMs} from './format.js'
import type {RunFacts} from './report-data.js'

type Pairs = readonly (readonly [string, string])[]

/** What was asked of the target. */
export function configurationPairs(meta: RunMeta): Pairs {
  return known([
    ['Profile', meta.profile?.metadata?.name],
    ['Target', meta.server?.is_embedded === true ? `${meta.url ?? ''} (started by kvctl)`.trim() : meta.url],
    ['Endpoint', meta.endpoint],
    ['Model', meta.model],
    ['Namespace', meta.namespace],
    ['Service', meta.service],
    ['Requests', count(meta.requests)],
    ['Warm-up requests', count(meta.warmup_requests)],
    ['Concurrency', count(meta.concurrency)],
    ['Arrivals', arrivals(meta)],
    ['Longest answer', meta.max_tokens === null ? null : `${formatCount(meta.max_tokens)} tokens`],
    ['Streaming', meta.stream === null ? null : meta.stream ? 'yes' : 'no'],
    ['Seed', meta.seed === null ? null : String(meta.seed)],
    ['Command line', meta.args.length === 0 ? null : meta.args.join(' ')],
  ])
}

/** Where it ran, and how exact the client was. */
export function environmentPairs(meta: RunMeta): Pairs {
  const {client, server, instrument} = meta
  return known([
    ['kvctl', meta.tool_version],
    ['Node.js', client?.node_version],
    ['Host', client?.host],
    ['CPUs', count(client?.cpus ?? null)],
    ['Server version', server?.version],
    ['Longest context', server?.max_model_len == null ? null : `${formatCount(server.max_model_len)} tokens`],
    ['Segment', server?.segment],
    ['Started', meta.started_at],
    ['Ended', meta.ended_at],
    ['Load processes', count(instrument?.workers ?? null)],
    [
      'Client’s TTFT error (p99)',
      instrument?.ttft_error_p99_ms == null ? null : formatMs(instrument.ttft_error_p99_ms),
    ],
    [
      'Client’s gap error (p99)',
      instrument?.gap_error_p99_ms == null ? null : formatMs(instrument.gap_error_p99_ms),
    ],
  ])
}

/** The few numbers of the opening sentence. */
export function runFacts(meta: RunMeta, results: RunResults, warmupRequests: number): RunFacts {
  return {
    totalRequests: results.requests.total,
    successfulRequests: results.requests.success,
    warmupRequests,
    durationMs: results.window.seconds === null ? null : results.window.seconds * 1000,
    concurrency: meta.mode === 'open' ? null : meta.concurrency,
    throughputRps: results.performance.throughput_rps,
    outputTokensPerSecond: results.tokens_per_sec,
  }
}

function arrivals(meta: RunMeta): string | null {
  const mode = {closed: 'closed loop', open: 'open loop'}[meta.mode ?? 'closed']
  const rate = meta.target_rps === null ? '' : `, ${meta.target_rps} requests/s`
  if (meta.mode === null) return meta.pattern
  return `${mode}${meta.pattern === null ? '' : ` (${meta.pattern})`}${rate}`
}

function count(value: number | null): string | null {
  return value === null ? null : formatCount(value)
}

function known(pairs: readonly (readonly [string, string | null | undefined])[]): Pairs {
  return pairs.flatMap(([name, value]) => (value == null || value === '' ? [] : [[name, value] as const]))
}
