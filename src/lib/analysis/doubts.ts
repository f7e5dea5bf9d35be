import {formatDurationMs} from '../foundation/index.js'
import type {Pricing, RequestTable, RunMeta, RunResults, RunWarning} from '../runs/index.js'
import type {MeasuredRequests} from './measured-requests.js'
import type {ResourceMeans} from './resources.js'
import type {TokenArrivals} from './token-arrivals.js'

export interface DoubtInputs {
  readonly meta: RunMeta
  readonly hasMeta: boolean
  readonly measured: MeasuredRequests
  readonly arrivals: TokenArrivals
  readonly resources: ResourceMeans
  /** How many successful requests were counted in each way. */
  readonly tokensSources: RunResults['tokens_sources']
  readonly isUnstable: boolean
  readonly clientLimits: readonly string[]
  /** What would help; empty when nothing is known. */
  readonly clientAdvice: string
  readonly pricing: Pricing | null
  readonly server: RunResults['server']
}

/** Everything a reader must know before trusting the figures, the load generator's own warnings first. */
export function doubts(inputs: DoubtInputs): RunWarning[] {
  const {meta, measured, arrivals, resources} = inputs
  const {table} = measured
  const isStreamed = arrivals.icl.count > 0 || table.chunkCount.some(chunks => chunks > 1)
  const missing = missingOf(inputs)
  const known: (readonly [boolean, string, string])[] = [
    [
      !inputs.hasMeta,
      'meta_missing',
      'there is no meta.json: start time, plan and window are taken from the requests',
    ],
    [meta.status === 'running', 'run_unfinished', 'the run has not ended, or was killed'],
    [meta.parts.length > 1, 'resumed', resumedText(meta)],
    [measured.total === 0, 'no_requests', 'the run holds no measured request'],
    [missing > 0, 'requests_missing', missingText(meta, missing)],
    [
      measured.cancelled > 0,
      'cancelled',
      `the client hung up on ${measured.cancelled} requests, as it was asked to; they count neither as successes nor as failures`,
    ],
    ...fileDoubts(table),
    [
      isStreamed && arrivals.gapsState === 'missing',
      'gaps_missing',
      'there is no gaps.bin: itl, icl and max_gap are unknown',
    ],
    [
      arrivals.gapsState === 'torn',
      'gaps_torn',
      'gaps.bin broke off: itl, icl and max_gap lack the last requests',
    ],
    [
      arrivals.mismatches > 0,
      'gaps_mismatch',
      `gaps of ${arrivals.mismatches} requests do not fit their chunks and are left out`,
    ],
    [
      inputs.tokensSources['chunks'] !== undefined,
      'tokens_estimated',
      'the server reported no token counts: chunks are counted as tokens',
    ],
    ...tokenizerDoubts(inputs),
    [
      arrivals.isItlEstimated,
      'itl_estimated',
      "chunks carry several tokens: itl spreads a request's tokens evenly over its chunks",
    ],
    [
      inputs.isUnstable,
      'unstable',
      'TTFT and requests in flight grew all the time: the server was offered more than it can do, and percentiles depend on how long the run was',
    ],
    [
      inputs.clientLimits.length > 0,
      'client_limited',
      `the load generator was a limit: ${inputs.clientLimits.join('; ')}${inputs.clientAdvice}`,
    ],
    ...serverDoubts(inputs),
    ...lengthDoubts(inputs),
    [
      resources.cpuCores === null && resources.gpuUtilization === null,
      'resources_unknown',
      'nothing looked at GPU, processor or memory of the server during the run',
    ],
  ]
  const ours = known.filter(([applies]) => applies).map(([, code, message]) => ({code, message}))
  return [...meta.warnings, ...ours, ...(inputs.pricing?.warnings ?? [])]
}

function tokenizerDoubts({tokensSources, meta}: DoubtInputs): (readonly [boolean, string, string])[] {
  const {tokenizer = 0, ...others} = tokensSources
  const {name} = (meta.plan?.['tokenizer'] ?? {}) as {readonly name?: string}
  const total = Object.values(others).reduce((sum, count) => sum + count, tokenizer)
  return [
    [
      tokenizer > 0,
      'tokens_by_tokenizer',
      `the server did not count the tokens of ${tokenizer} of ${total} answers: ${name ?? 'a tokenizer'} counted their text, which knows nothing of tokens that were cut away or hidden`,
    ],
  ]
}

/** Stages end by their time: how many requests they have is no plan. */
function missingOf({meta, measured}: DoubtInputs): number {
  if (meta.requests === null || (meta.mode === 'closed' && meta.pattern === 'stages')) return 0
  return meta.requests - measured.total - measured.cancelled
}

function missingText({mode, status, requests, duration_sec: seconds}: RunMeta, missing: number): string {
  const planned = `${missing} of ${requests ?? 0} planned requests`
  return mode === 'closed' && status === 'complete' && seconds !== null
    ? `${planned} were not sent: the time for them, ${formatDurationMs(seconds * 1000)}, was over`
    : `${planned} left no record`
}

/** What no figure of a resumed run shows. */
function resumedText({parts}: RunMeta): string {
  const later = parts.slice(1)
  const again = later.reduce((sum, part) => sum + part.sent_again, 0)
  const pausesMs = later.map((part, index) => {
    const before = parts[index]!
    return part.origin_epoch_ms - (before.origin_epoch_ms + part.run_ms - before.run_ms)
  })
  const killed = parts.filter(part => part.instrument === null).length
  const urls = new Set(parts.map(part => part.url))
  return [
    `measured in ${parts.length} parts: what lies between them (${pausesMs.map(formatPause).join(', ')}) is left out, and rates are over the windows of the parts together`,
    'the server may have been colder, or may have cached prompts, when a part began',
    ...(again > 0 ? [`at least ${again} requests were sent again; only the last try of each counts`] : []),
    ...(killed > 0
      ? [`${killed} killed: what was in flight then, and what the load generator knew of itself, is lost`]
      : []),
    ...(urls.size > 1 ? [`the parts were sent to ${[...urls].join(', ')}`] : []),
  ].join('; ')
}

/** A wall clock that was set back makes a pause of less than nothing. */
function formatPause(ms: number): string {
  return ms < 0 ? 'unknown time' : formatDurationMs(ms)
}

/** Answers that were to have a length and have another. @see ai-dynamo/aiperf:docs/metrics-reference.md — 5 % or 50 tokens */
function lengthDoubts({meta, measured}: DoubtInputs): (readonly [boolean, string, string])[] {
  const wanted = meta.max_tokens
  if (meta.plan?.['ignore_eos'] !== true || wanted === null) return []
  const {table} = measured
  const stop = table.finishReasonNames.indexOf('stop')
  const hasLengths = meta.prompt === null || meta.prompt.startsWith('synthetic,')
  let [stopped, off] = [0, 0]
  for (const row of measured.sentRows) {
    if (table.outcome[row] !== 0) continue
    if (stop >= 0 && table.finishReason[row] === stop) stopped++
    const tokens = table.completionTokens[row]!
    if (hasLengths && tokens >= 0 && Math.abs(tokens - wanted) > Math.min(50, 0.05 * wanted)) off++
  }
  return [
    [
      stopped > 0 || off > 0,
      'output_length_mismatch',
      `${Math.max(stopped, off)} answers ended before or beyond the ${wanted} tokens that were asked for although the end of text was to be ignored: the server does not obey ignore_eos or min_tokens`,
    ],
  ]
}

/** vLLM's own limit: fewer hits are no cache that was warm. */
const HIT_RATIO_LIMIT = 0.01
const COUNT_TOLERANCE = 0.01

/** Where the server's own counts do not fit what its clients saw. */
function serverDoubts({meta, measured, server}: DoubtInputs): (readonly [boolean, string, string])[] {
  if (server === null) return []
  const {prefix_cache_hit_ratio: hitRatio, generation_tokens: theirs} = server
  const hasOwnPrompts = meta.prompt?.startsWith('synthetic,') === true
  const ours = wholeTokenCount(measured, meta)
  const isOther = ours !== null && theirs !== null && Math.abs(theirs - ours) > COUNT_TOLERANCE * ours
  return [
    [
      hasOwnPrompts && hitRatio !== null && hitRatio >= HIT_RATIO_LIMIT,
      'prefix_cache_hits',
      `the server found ${((hitRatio ?? 0) * 100).toFixed(0)} % of the prompt tokens in its prefix cache although no two prompts of this run share any: it knew them from before, as with a --seed used again`,
    ],
    [
      isOther,
      'server_counts_differ',
      `the server counted ${theirs ?? 0} output tokens and its answers ${ours ?? 0}: others used it too, or answers were lost`,
    ],
  ]
}

/** Output tokens of all requests, warm-up included; null where the server surely made more than the answers tell. */
function wholeTokenCount({table}: MeasuredRequests, meta: RunMeta): number | null {
  if (meta.status !== 'complete' || meta.parts.length !== 1) return null
  let tokens = 0
  for (let row = 0; row < table.count; row++) {
    if (table.outcome[row] !== 0 || table.completionTokens[row]! < 0) return null
    tokens += table.completionTokens[row]!
  }
  return tokens === 0 ? null : tokens
}

function fileDoubts(table: RequestTable): (readonly [boolean, string, string])[] {
  return [
    [table.tornRows > 0, 'csv_torn', 'the last row of requests.csv broke off and is left out'],
    [
      table.unreadableFields > 0,
      'csv_unreadable',
      `${table.unreadableFields} fields of requests.csv are not numbers and count as unknown`,
    ],
    [
      table.isFirstTokenFromFirstByte && table.count > 0,
      'ttft_from_first_byte',
      'requests.csv has no ttft_ms: TTFT is the first byte of the body, which may come before any token',
    ],
  ]
}
