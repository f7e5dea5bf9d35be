import {csvField} from './csv-field.js'
import type {RequestRecord} from './request-record.js'

/**
 * The columns of `requests.csv`: the twelve of upstream, unchanged, then ours.
 *
 * `scheduled_ms`, `start_ms` and `end_ms` are epoch milliseconds; `ttfb_ms`, `ttft_ms`, `tllt_ms`, `latency_ms`, `head_ms`
 * `role_ms` and `ttfo_ms` (first token that is no reasoning) are milliseconds from `start_ms`; all with three decimals, empty when unknown. `status` is 0 for every
 * request that failed after its head, as upstream writes it; `http_status` is what the server said. `session` is the id of the
 * first request of a conversation, `server` the place of the one asked in `urls` of `meta.json`, from 0.
 *
 * @see Siryoos/kserve-vllm-mini:scripts/loadtest.py — the first twelve
 */
export const REQUEST_COLUMNS = [
  'id',
  'scheduled_ms',
  'start_ms',
  'ttfb_ms',
  'tllt_ms',
  'latency_ms',
  'status',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'error',
  'trace_id',
  'ttft_ms',
  'tpot_ms',
  'itl_max_ms',
  'send_lag_ms',
  'connect_ms',
  'error_type',
  'finish_reason',
  'phase',
  'tenant',
  'http_bytes',
  'request_id',
  'tokens_source',
  'http_status',
  'head_ms',
  'role_ms',
  'end_ms',
  'chunk_count',
  'cached_tokens',
  'ttfo_ms',
  'first_chunk_tokens',
  'reasoning_tokens',
  'retry_after_ms',
  'session',
  'turn',
  'server',
] as const
export type RequestColumn = (typeof REQUEST_COLUMNS)[number]

export const REQUESTS_HEADER = `${REQUEST_COLUMNS.join(',')}\n`

/**
 * One record as a line of `requests.csv`, newline included.
 *
 * @param originEpochMs wall-clock time of the run's origin, to which the record's instants are relative
 */
export function requestLine(record: RequestRecord, originEpochMs: number): string {
  const {sentAtMs: sent, firstTokenAtMs: first, lastTokenAtMs: last, completionTokens} = record
  const isOk = record.outcome === 'ok'
  const wall = (at: number | null): string => (at === null ? '' : (originEpochMs + at).toFixed(3))
  const since = (at: number | null): string => (at === null || sent === null ? '' : (at - sent).toFixed(3))
  const later = completionTokens === null ? null : completionTokens - (record.firstChunkTokens ?? 1)
  const tpot =
    first === null || last === null || later === null || later < 1 ? '' : ((last - first) / later).toFixed(3)
  const totalTokens =
    record.promptTokens === null || completionTokens === null ? null : record.promptTokens + completionTokens
  return `${[
    record.id,
    wall(record.scheduledAtMs),
    wall(sent),
    since(record.firstByteAtMs),
    since(last),
    since(record.doneAtMs),
    !isOk && record.status === 200 ? 0 : record.status,
    record.promptTokens ?? '',
    completionTokens ?? '',
    totalTokens ?? '',
    csvField(record.error),
    csvField(record.traceId),
    since(first),
    tpot,
    record.gapsUs.length === 0 ? '' : (largest(record.gapsUs) / 1000).toFixed(3),
    sent === null ? '' : (sent - record.scheduledAtMs).toFixed(3),
    record.connectMs?.toFixed(3) ?? '',
    isOk ? '' : record.outcome,
    csvField(record.finishReason ?? ''),
    record.phase,
    csvField(record.tenant ?? ''),
    record.bodyBytes,
    csvField(record.requestId),
    record.tokensSource,
    record.status,
    since(record.headAtMs),
    since(record.roleAtMs),
    wall(record.doneAtMs),
    record.chunkCount,
    record.cachedTokens ?? '',
    since(record.answerAtMs),
    record.firstChunkTokens ?? '',
    record.reasoningTokens ?? '',
    record.retryAfterMs ?? '',
    record.session,
    record.turn,
    record.server,
  ].join(',')}\n`
}

function largest(values: Uint32Array): number {
  let max = 0
  for (const value of values) if (value > max) max = value
  return max
}
