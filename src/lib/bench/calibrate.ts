import {percentile} from '../metrics/index.js'
import type {CalibrationJson, RequestRecord} from '../runs/index.js'
import type {BenchAsk} from './bench-ask.js'
import {planBench, type BenchPlan} from './bench-plan.js'
import type {KnownAnswer, KnownServerProcess, KnownTimes} from './known-server.js'
import {loadJobs} from './load-jobs.js'
import {NO_FIT} from './prompts.js'
import {runLoad, type LoadProcess} from './run-load.js'
import {wholeList} from './send-list.js'

export type Calibration = CalibrationJson

/** The load that the instrument is measured at. */
export interface LoadShape extends KnownTimes {
  readonly streams: number
  readonly requests: number
}

/** What a run was like, taken from some of its requests. */
export interface RunSample {
  readonly ttftMs: readonly number[]
  readonly gapMs: readonly number[]
  readonly chunks: readonly number[]
  readonly e2eMs: readonly number[]
}

const [LEAST_GAP_MS, MOST_GAP_MS, MOST_TTFT_MS, LENGTH_MS] = [1, 200, 1000, 3000]

/** Reduces a run to medians; its waiting is cut short, because nothing of the instrument shows in it. */
export function shapeOf(sample: RunSample, plan: BenchPlan): LoadShape | null {
  const [ttft, gap, chunks, e2e] = [sample.ttftMs, sample.gapMs, sample.chunks, sample.e2eMs].map(values =>
    percentile(Float64Array.from(values).sort(), 0.5),
  )
  if (ttft == null || chunks == null || e2e == null) return null
  const gapMs = Math.min(MOST_GAP_MS, Math.max(LEAST_GAP_MS, gap ?? LEAST_GAP_MS))
  const ttftMs = Math.min(MOST_TTFT_MS, ttft)
  const streams =
    plan.mode === 'closed' ? plan.concurrency : Math.max(1, Math.round((plan.ratePerSecond! * e2e) / 1000))
  const length = Math.max(2, Math.min(Math.round(chunks), Math.ceil(LENGTH_MS / gapMs)))
  const waves = Math.max(1, Math.round(LENGTH_MS / (ttftMs + gapMs * length)))
  return {ttftMs, gapMs, chunks: length, streams, requests: streams * waves}
}

export interface CalibrateParts {
  startLoadProcess(): LoadProcess
  startKnownServer(): KnownServerProcess
}

/**
 * Sends a load of this shape to a server of our own whose times are known, with as many processes as the run had, and
 * compares what was read with what was written.
 *
 * @throws WorkerError when a process dies; the signal's reason when aborted
 */
export async function calibrate(
  ask: BenchAsk,
  shape: LoadShape,
  parts: CalibrateParts,
  signal: AbortSignal,
): Promise<Calibration> {
  const server = parts.startKnownServer()
  try {
    const reports = server.reports()
    server.send({kind: 'serve', times: shape})
    const listening = (await reports.next()).value
    if (listening?.kind !== 'listening') throw new Error('the server of known times did not come up')
    const baseUrl = `http://127.0.0.1:${listening.port}`
    const {records, originMs} = await load(ask, shape, baseUrl, parts, signal)
    signal.throwIfAborted()
    server.send({kind: 'tell'})
    const told = (await reports.next()).value
    if (told?.kind !== 'answers') throw new Error('the server of known times did not tell what it did')
    return compare(shape, records, originMs, told.answers)
  } finally {
    await server.stop()
  }
}

async function load(
  ask: BenchAsk,
  shape: LoadShape,
  baseUrl: string,
  parts: CalibrateParts,
  signal: AbortSignal,
): Promise<{records: RequestRecord[]; originMs: number}> {
  const {options} = ask.plan
  const request = {
    ...options.request,
    maxTokens: shape.chunks,
    tokenizer: null,
    prompt: {kind: 'fixed', text: 'calibration'} as const,
  }
  const plan = planBench({
    ...options,
    request,
    pattern: 'steady',
    requests: shape.requests,
    concurrency: shape.streams,
    ratePerSecond: null,
    durationSeconds: null,
    warmupRequests: 0,
  })
  const target = {baseUrl, apiPath: '/v1', model: 'calibration', maxModelLen: null}
  const facts = {targets: [target], runId: 'calibration', fit: NO_FIT, list: wholeList(plan)}
  const jobs = loadJobs({...ask, plan, apiKey: null, isInsecure: false}, facts)
  const records: RequestRecord[] = []
  let originMs = 0
  const observer = {
    started: async (_: number, originNs: number) => void (originMs = originNs / 1e6),
    records: async (some: readonly RequestRecord[]) => void records.push(...some),
    progress: () => undefined,
  }
  await runLoad(
    jobs.map(() => parts.startLoadProcess()),
    jobs,
    observer,
    signal,
  )
  return {records, originMs}
}

/** An instant is known to lie between the two sides of a write; what is read outside of what that allows is an error. */
export function compare(
  {streams}: LoadShape,
  records: readonly RequestRecord[],
  originMs: number,
  answers: readonly KnownAnswer[],
): Calibration {
  const byId = new Map(answers.map(answer => [answer.id, answer]))
  const [late, gaps]: number[][] = [[], []]
  let [first, last] = [Infinity, -Infinity]
  for (const {id, outcome, firstTokenAtMs, gapsUs} of records) {
    const answer = byId.get(id)
    if (outcome !== 'ok' || answer === undefined || firstTokenAtMs === null) continue
    const {beforeMs, afterMs} = answer
    first = Math.min(first, beforeMs[0]!)
    last = Math.max(last, afterMs.at(-1)!)
    late!.push(Math.max(0, originMs + firstTokenAtMs - afterMs[0]!))
    for (const [index, gapUs] of gapsUs.entries()) {
      const least = beforeMs[index + 1]! - afterMs[index]!
      const most = afterMs[index + 1]! - beforeMs[index]!
      gaps!.push(Math.max(0, gapUs / 1000 - most, least - gapUs / 1000))
    }
  }
  const spread = (values: readonly number[]): {p50: number; p99: number} => {
    const sorted = Float64Array.from(values).sort()
    return {p50: percentile(sorted, 0.5) ?? 0, p99: percentile(sorted, 0.99) ?? 0}
  }
  return {
    streams,
    requests: late!.length,
    chunks_per_second: last > first ? ((gaps!.length + late!.length) * 1000) / (last - first) : 0,
    ttft_error_ms: spread(late!),
    gap_error_ms: spread(gaps!),
  }
}
