import {join} from 'node:path'
import {packageRoot} from '../foundation/index.js'
import type {Worker} from '../processes/index.js'
import type {RequestRecord} from '../runs/index.js'
import type {ProcessInstrument} from './instrument.js'
import type {LoadCounts} from './load-loop.js'
import type {LoadJob, LoadOrder, LoadReport} from './load-worker.js'

/** The compiled entry file of the load process. */
export const loadWorkerPath = join(packageRoot, 'dist/workers/load-worker.js')

export type LoadProcess = Worker<LoadOrder, LoadReport>

/** Where the parent puts what its load processes tell it. */
export interface LoadObserver {
  /** All are ready; nothing is sent before this has settled. */
  started(originEpochMs: number, originMonotonicNs: number): Promise<void>
  /** @param generated of each, for `partsOf`; null where nobody counts it */
  records(records: readonly RequestRecord[], generated: readonly Uint8Array[] | null): Promise<void>
  /** Sums over all processes. */
  progress(counts: LoadCounts): void
}

export interface LoadEnd {
  /** One for each process. */
  readonly instruments: readonly ProcessInstrument[]
  /** When the measured phase began, ms since the origin; null when it never did. */
  readonly measureStartAtMs: number | null
  /** Stopped by `signal`: what was measured until then has been handed over. */
  readonly wasStopped: boolean
}

type Finished = Extract<LoadReport, {kind: 'finished'}>

/** An open loop starts so long after the last process was warm: long enough for the order to reach them all. */
const START_IN_NS = 5e6

/**
 * Runs one job in each process, on one clock, and hands over what they report. When `signal` is aborted they are told to stop
 * and still give their records; none outlives this call.
 *
 * @param processes as many as jobs
 * @throws WorkerError when one dies; the others stop, and their records are handed over before
 */
export async function runLoad(
  processes: readonly LoadProcess[],
  jobs: readonly LoadJob[],
  observer: LoadObserver,
  signal: AbortSignal,
): Promise<LoadEnd> {
  const tell = (order: LoadOrder): void => {
    for (const one of processes) one.send(order)
  }
  const stop = (): void => tell({kind: 'stop'})
  const counts = processes.map((): LoadCounts => ({sent: 0, done: 0, failed: 0, inFlight: 0, tokens: 0}))
  const atOnce = (act: () => Promise<void> | void): (() => Promise<void>) => {
    let waiting = processes.length
    return async () => {
      if (--waiting === 0) await act()
    }
  }
  const begin = atOnce(async () => {
    const [epochMs, originNs] = [Date.now(), monotonicNs()]
    await observer.started(epochMs, originNs)
    tell({kind: 'begin', originNs})
  })
  const measure = atOnce(() => tell({kind: 'measure', startNs: monotonicNs() + START_IN_NS}))

  const follow = async (place: number): Promise<Finished> => {
    for await (const report of processes[place]!.reports()) {
      switch (report.kind) {
        case 'ready':
          await begin()
          break
        case 'warm':
          await measure()
          break
        case 'records':
          await observer.records(report.records, report.generated)
          break
        case 'progress':
          counts[place] = report.counts
          observer.progress(summed(counts))
          break
        case 'finished':
          return report
      }
    }
    throw new Error('a load process ended without a last report')
  }

  try {
    for (const [place, job] of jobs.entries()) processes[place]!.send({kind: 'prepare', job})
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, {once: true})
    const followed = processes.map((_, place) =>
      follow(place).catch((error: unknown) => {
        stop()
        throw error
      }),
    )
    // Those that go on hand over what they have, whatever became of another.
    await Promise.allSettled(followed)
    const ends = await Promise.all(followed)
    const starts = ends.flatMap(({measureStartAtMs}) => measureStartAtMs ?? [])
    return {
      instruments: ends.map(({instrument}) => instrument),
      measureStartAtMs: starts.length === 0 ? null : Math.min(...starts),
      wasStopped: ends.some(({wasStopped}) => wasStopped),
    }
  } finally {
    signal.removeEventListener('abort', stop)
    await Promise.all(processes.map(one => one.stop()))
  }
}

function monotonicNs(): number {
  return Number(process.hrtime.bigint())
}

function summed(counts: readonly LoadCounts[]): LoadCounts {
  const sum = (name: keyof LoadCounts): number => counts.reduce((total, one) => total + one[name], 0)
  return {
    sent: sum('sent'),
    done: sum('done'),
    failed: sum('failed'),
    inFlight: sum('inFlight'),
    tokens: sum('tokens'),
  }
}
