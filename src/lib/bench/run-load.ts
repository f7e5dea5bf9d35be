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

/** Where the parent puts what a load process tells it. */
export interface LoadObserver {
  started(originEpochMs: number, originMonotonicNs: number): Promise<void>
  records(records: readonly RequestRecord[]): Promise<void>
  progress(counts: LoadCounts): void
}

export interface LoadEnd {
  readonly instrument: ProcessInstrument
  /** When the measured phase began, ms since the origin; null when it never did. */
  readonly measureStartAtMs: number | null
  /** Stopped by `signal`: what was measured until then has been handed over. */
  readonly wasStopped: boolean
}

/**
 * Runs one job in a load process and hands over what it reports. When `signal` is aborted the process is told to stop and
 * still gives its records; it never outlives this call.
 *
 * @throws WorkerError when the process dies
 */
export async function runLoad(
  worker: LoadProcess,
  job: LoadJob,
  observer: LoadObserver,
  signal: AbortSignal,
): Promise<LoadEnd> {
  const stop = (): void => worker.send({kind: 'stop'})
  try {
    worker.send({kind: 'start', job})
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, {once: true})
    for await (const report of worker.reports()) {
      switch (report.kind) {
        case 'started':
          await observer.started(report.originEpochMs, report.originMonotonicNs)
          break
        case 'records':
          await observer.records(report.records)
          break
        case 'progress':
          observer.progress(report.counts)
          break
        case 'finished':
          return report
      }
    }
    throw new Error('the load process ended without a last report')
  } finally {
    signal.removeEventListener('abort', stop)
    await worker.stop()
  }
}
