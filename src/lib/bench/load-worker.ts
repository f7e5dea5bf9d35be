import type {RequestRecord} from '../runs/index.js'
import type {BenchPlan} from './bench-plan.js'
import {InstrumentMeter, type ProcessInstrument} from './instrument.js'
import {LoadLoop, type LoadCounts} from './load-loop.js'
import type {LoadTransport, TransportTarget} from './load-transport.js'
import {createRequestBuilder, type RequestRecipe} from './request-builder.js'
import type {SendList} from './send-list.js'
import {SocketTransport} from './socket-transport.js'
import {warmUpCode} from './warm-up-code.js'

/** `undici` reads with a stock HTTP library, to check the own reader against. */
export const TRANSPORTS = ['socket', 'undici'] as const
export type TransportKind = (typeof TRANSPORTS)[number]

export interface LoadJob {
  readonly plan: BenchPlan
  readonly list: SendList
  /** Requests go to each in turn. */
  readonly targets: readonly TransportTarget[]
  readonly recipe: RequestRecipe
  readonly transport: TransportKind
}

/** What the parent tells a load process, in this order; `stop` at any time. Instants are of the machine's monotonic clock. */
export type LoadOrder =
  | {readonly kind: 'prepare'; readonly job: LoadJob}
  /** All processes are ready: send. */
  | {readonly kind: 'begin'; readonly originNs: number}
  /** All processes have done their warm-up: the schedule of an open loop starts then. */
  | {readonly kind: 'measure'; readonly startNs: number}
  | {readonly kind: 'stop'}

/** What a load process tells its parent, in this order: `ready`, then `records` and `progress`, then `finished`. */
export type LoadReport =
  | {readonly kind: 'ready'}
  /** Its warm-up is done; open loop only. */
  | {readonly kind: 'warm'}
  | {
      readonly kind: 'records'
      readonly records: readonly RequestRecord[]
      /** All that was generated for each, for `partsOf`; null where nobody counts it. */
      readonly generated: readonly Uint8Array[] | null
    }
  | {readonly kind: 'progress'; readonly counts: LoadCounts}
  | {
      readonly kind: 'finished'
      readonly instrument: ProcessInstrument
      readonly measureStartAtMs: number | null
      readonly wasStopped: boolean
    }

/** Where a load process waits for the others; each gives an instant of the machine's monotonic clock, nanoseconds. */
export interface StartLine {
  begin(): Promise<number>
  measure(): Promise<number>
}

const FLUSH_MS = 250
/** So many leave sooner: they are garbage while it is still cheap to collect, and no message stops the reading for long. */
const FLUSH_RECORDS = 128

/**
 * Runs one job in this process: prepares requests, opens connections and runs the code once, all before the clock starts;
 * then sends, and reports records in batches so that the process that measures writes no file and draws nothing.
 */
export async function runLoadJob(
  job: LoadJob,
  report: (report: LoadReport) => void,
  startLine: StartLine,
  signal: AbortSignal,
): Promise<void> {
  const {plan, list, targets, recipe} = job
  const open = await opener(job.transport)
  const transports = targets.map(open)
  try {
    await warmUpCode(plan, open)
    const connections = Math.min(plan.concurrency, list.ids.length)
    const perTarget = Math.ceil(connections / transports.length)
    await Promise.all(transports.map(transport => transport.open(perTarget, signal)))
    const builder = createRequestBuilder(recipe)

    const instrument = new InstrumentMeter()
    let records: RequestRecord[] = []
    let generated: Uint8Array[] = []
    const isCounted = plan.request.tokenizer !== null
    const loop = new LoadLoop({
      plan,
      list,
      transports,
      builder,
      delayMs: id => recipe.items?.get(id)?.delayMs ?? 0,
      instrument,
      onRecord(record, texts) {
        // Behind the reads of this turn, which are not to wait for it.
        if (records.push(record) === FLUSH_RECORDS) setImmediate(sendRecords)
        if (texts.generated !== null) generated.push(texts.generated)
      },
      async whenAllAreWarm() {
        report({kind: 'warm'})
        return millisOf(await startLine.measure())
      },
    })
    const sendRecords = (): void => {
      if (records.length > 0) report({kind: 'records', records, generated: isCounted ? generated : null})
      records = []
      generated = []
    }
    const flush = (): void => {
      sendRecords()
      report({kind: 'progress', counts: loop.counts})
    }
    report({kind: 'ready'})
    const originMs = millisOf(await startLine.begin())
    instrument.start()
    const timer = setInterval(flush, FLUSH_MS)
    const stop = (): void => loop.stop()
    signal.addEventListener('abort', stop, {once: true})
    if (signal.aborted) stop()
    await loop.run(originMs)
    signal.removeEventListener('abort', stop)
    clearInterval(timer)
    flush()
    report({
      kind: 'finished',
      instrument: instrument.stop(),
      measureStartAtMs: loop.measureStartAtMs,
      wasStopped: signal.aborted,
    })
  } finally {
    for (const transport of transports) transport.close()
  }
}

async function opener(kind: TransportKind): Promise<(target: TransportTarget) => LoadTransport> {
  if (kind === 'socket') return target => new SocketTransport(target)
  const {UndiciTransport} = await import('./undici-transport.js')
  return target => new UndiciTransport(target)
}

const OFFSET_READINGS = 9

/** An instant of the machine's monotonic clock as this process' `performance.now()`. */
function millisOf(monotonicNs: number): number {
  return monotonicNs / 1e6 + (offsetMs ??= measureOffsetMs())
}

let offsetMs: number | undefined

/** By the tightest of several readings: a process that is put off the CPU within one would shift its whole schedule. */
function measureOffsetMs(): number {
  let tightestMs = Infinity
  let offsetMs = 0
  for (let reading = 0; reading < OFFSET_READINGS; reading++) {
    const beforeMs = performance.now()
    const monotonicMs = Number(process.hrtime.bigint()) / 1e6
    const tookMs = performance.now() - beforeMs
    if (tookMs >= tightestMs) continue
    tightestMs = tookMs
    offsetMs = beforeMs + tookMs / 2 - monotonicMs
  }
  return offsetMs
}
