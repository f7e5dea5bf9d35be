import type {RequestRecord} from '../runs/index.js'
import type {BenchPlan} from './bench-plan.js'
import {createInstrumentMeter, type ProcessInstrument} from './instrument.js'
import {LoadLoop, type LoadCounts} from './load-loop.js'
import type {TransportTarget} from './load-transport.js'
import {createRequestBuilder, type RequestRecipe} from './request-builder.js'
import type {SendList} from './send-list.js'
import {SocketTransport} from './socket-transport.js'
import {warmUpCode} from './warm-up-code.js'

/** What the parent tells a load process. */
export type LoadOrder = {readonly kind: 'start'; readonly job: LoadJob} | {readonly kind: 'stop'}

export interface LoadJob {
  readonly plan: BenchPlan
  readonly list: SendList
  readonly target: TransportTarget
  readonly recipe: RequestRecipe
}

/** What a load process tells its parent, in this order: `started`, then `records` and `progress`, then `finished`. */
export type LoadReport =
  | {
      readonly kind: 'started'
      /** Wall-clock time of the run's origin. */
      readonly originEpochMs: number
      /** The machine's monotonic clock at the origin, so that the parent can place its own observations. */
      readonly originMonotonicNs: number
    }
  | {readonly kind: 'records'; readonly records: readonly RequestRecord[]}
  | {readonly kind: 'progress'; readonly counts: LoadCounts}
  | {
      readonly kind: 'finished'
      readonly instrument: ProcessInstrument
      readonly measureStartAtMs: number | null
      readonly wasStopped: boolean
    }

const FLUSH_MS = 250

/**
 * Runs one job in this process: prepares requests, opens connections and runs the code once, all before the clock starts;
 * then sends, and reports records in batches so that the process that measures writes no file and draws nothing.
 */
export async function runLoadJob(
  job: LoadJob,
  report: (report: LoadReport) => void,
  signal: AbortSignal,
): Promise<void> {
  const {plan, list, target, recipe} = job
  const transport = new SocketTransport(target)
  try {
    await warmUpCode(recipe.shape)
    await transport.open(Math.min(plan.concurrency, list.ids.length), signal)

    const instrument = createInstrumentMeter()
    let records: RequestRecord[] = []
    const originMs = performance.now()
    const build = createRequestBuilder(recipe)
    const loop = new LoadLoop({
      plan,
      list,
      transport,
      build,
      instrument,
      originMs,
      onRecord: record => records.push(record),
    })
    const flush = (): void => {
      if (records.length > 0) report({kind: 'records', records})
      records = []
      report({kind: 'progress', counts: loop.counts})
    }
    const [epochMs, monotonicNs, nowMs] = [Date.now(), Number(process.hrtime.bigint()), performance.now()]
    report({
      kind: 'started',
      originEpochMs: epochMs - (nowMs - originMs),
      originMonotonicNs: monotonicNs - (nowMs - originMs) * 1e6,
    })
    const timer = setInterval(flush, FLUSH_MS)
    const stop = (): void => loop.stop()
    signal.addEventListener('abort', stop, {once: true})
    if (signal.aborted) stop()
    await loop.run()
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
    transport.close()
  }
}
