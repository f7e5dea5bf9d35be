import {computeRunFigures} from '../analysis/index.js'
import {sentPayloads, type SentPayloads} from '../bench/index.js'
import {KvctlError} from '../foundation/index.js'
import {e2eMs, ttftMs, tpotMs, type RequestTimes, type SloValues} from '../metrics/index.js'
import {
  originEpochMs,
  readGaps,
  readMeta,
  readRequests,
  RequestCursor,
  type RequestTable,
  type RunDirectory,
  type RunMeta,
  type RunResults,
} from '../runs/index.js'

/** One measured request as other tools tell it; instants are ms of run time. */
export interface ExportedRequest extends RequestTimes {
  readonly id: number
  /** Id of the first request of its conversation, and its place there; its own and 0 where the plan is not known. */
  readonly session: number
  readonly turn: number
  readonly isOk: boolean
  /** Stopped or hung up on by us, or never sent. */
  readonly isIncomplete: boolean
  /** Null for `ok`. */
  readonly errorType: string | null
  readonly error: string
  readonly promptTokens: number | null
  readonly finishReason: string | null
  /** Gaps between token-bearing chunks, µs. */
  readonly gapsUs: Uint32Array
  readonly ttftMs: number | null
  readonly tpotMs: number | null
  /** Send to last token, or to the end of the body. */
  readonly e2eMs: number | null
}

/** A run in memory, warm-up left out. */
export interface ExportedRun {
  readonly run: RunDirectory
  readonly meta: RunMeta
  readonly results: RunResults
  /** Those that were sent or should have been, by id. */
  readonly requests: readonly ExportedRequest[]
  /** Wall-clock time of a moment of run time, both in ms. */
  readonly epochMs: (runMs: number) => number
  /** What the requests said; an error tells why that is not known. */
  readonly payloads: SentPayloads | KvctlError
}

/**
 * Reads everything that other tools' files hold of a run, figures computed from its records.
 *
 * @throws ResourceError `RUN_INCOMPLETE`; ConfigurationError `RUN_UNREADABLE`
 */
export async function readExportedRun(run: RunDirectory): Promise<ExportedRun> {
  const {results} = await computeRunFigures(run)
  const meta = await readMeta(run)
  const origin = originEpochMs(meta)
  const table = await readRequests(run, origin, meta.parts)
  const gaps = new Map<number, Uint32Array>()
  await readGaps(run, (id, gapsUs) => gaps.set(id, gapsUs.slice()))
  const payloads = await sentPayloads(run).catch((error: unknown) => {
    if (error instanceof KvctlError) return error
    throw error
  })
  const requests = requestsOf(table, gaps, payloads)
  return {run, meta, results, requests, epochMs: table.epochMs, payloads}
}

const NO_GAPS = new Uint32Array()

function requestsOf(
  table: RequestTable,
  gaps: ReadonlyMap<number, Uint32Array>,
  payloads: ExportedRun['payloads'],
): ExportedRequest[] {
  const cursor = new RequestCursor(table)
  const requests: ExportedRequest[] = []
  for (let row = 0; row < table.count; row++) {
    if (table.isWarmup[row] === 1) continue
    cursor.at(row)
    const outcome = table.outcomeNames[table.outcome[row]!]!
    const id = table.id[row]!
    requests.push({
      ...(payloads instanceof KvctlError ? {session: id, turn: 0} : payloads.place(id)),
      id,
      isOk: outcome === 'ok',
      isIncomplete: outcome === 'aborted' || outcome === 'cancelled' || outcome === 'not_sent',
      errorType: outcome === 'ok' ? null : outcome,
      error: table.errors.get(row) ?? '',
      promptTokens: table.promptTokens[row]! < 0 ? null : table.promptTokens[row]!,
      finishReason: table.finishReasonNames[table.finishReason[row]!] || null,
      gapsUs: gaps.get(id) ?? NO_GAPS,
      scheduledAtMs: cursor.scheduledAtMs,
      sentAtMs: cursor.sentAtMs,
      firstByteAtMs: cursor.firstByteAtMs,
      firstTokenAtMs: cursor.firstTokenAtMs,
      lastTokenAtMs: cursor.lastTokenAtMs,
      answerAtMs: cursor.answerAtMs,
      firstChunkTokens: cursor.firstChunkTokens,
      doneAtMs: cursor.doneAtMs,
      connectMs: cursor.connectMs,
      chunkCount: cursor.chunkCount,
      completionTokens: cursor.completionTokens,
      ttftMs: ttftMs(cursor),
      tpotMs: tpotMs(cursor),
      e2eMs: e2eMs(cursor),
    })
  }
  return requests.sort((left, right) => left.id - right.id)
}

/** Sum of what is known; 0 when nothing is. */
export function sum(values: readonly (number | null)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0)
}

export function known(values: readonly (number | null)[]): number[] {
  return values.filter(value => value !== null)
}

/** From the first send to the last end. */
export function durationSeconds(requests: readonly ExportedRequest[]): number {
  let [from, to] = [Infinity, -Infinity]
  for (const {sentAtMs, doneAtMs} of requests) {
    if (sentAtMs !== null) from = Math.min(from, sentAtMs)
    if (doneAtMs !== null) to = Math.max(to, doneAtMs)
  }
  return to > from ? (to - from) / 1000 : 0
}

/** What a goal is held against, counted from the send. */
export function sloValues({ttftMs, tpotMs, e2eMs, gapsUs}: ExportedRequest): SloValues {
  const longestUs = gapsUs.reduce((most, gap) => Math.max(most, gap), 0)
  return {ttft: ttftMs, tpot: tpotMs, e2e: e2eMs, max_gap: gapsUs.length === 0 ? null : longestUs / 1000}
}
