import {type Clock, type Logger} from '../foundation/index.js'
import {
  createRecordWriter,
  createTimeSeriesWriter,
  writeMeta,
  type RecordWriter,
  type RequestRecord,
  type RunDirectory,
  type RunMeta,
} from '../runs/index.js'
import type {ProcessInstrument} from './instrument.js'
import type {LoadCounts} from './load-loop.js'
import {observeRun, type ObservedServer} from './observe-run.js'
import type {LoadEnd, LoadObserver} from './run-load.js'

type MetaInput = Parameters<typeof writeMeta>[1]

/** A run as it goes to disk. */
export interface RunRecording extends LoadObserver {
  /** How many measured requests ended in each way so far. */
  readonly outcomes: ReadonlyMap<string, number>
  /** Completes every file; `end` is null when the load process failed. */
  close(end: LoadEnd | null): Promise<void>
}

/**
 * Opens the files of a run and keeps them up to date while it lasts, so that it stays readable whenever it is cut off.
 *
 * @throws ResourceError when they cannot be written
 */
export async function startRecording(
  run: RunDirectory,
  meta: MetaInput,
  server: ObservedServer & {readonly clock: Clock; readonly logger: Logger},
  watcher: {progress(counts: LoadCounts): void},
): Promise<RunRecording> {
  await writeMeta(run, {...meta, status: 'running'})
  const series = await createTimeSeriesWriter(run)
  const outcomes = new Map<string, number>()
  const isOver = new AbortController()
  let observing: Promise<void> = Promise.resolve()
  let writer: RecordWriter | null = null
  let originEpochMs: number | null = null
  return {
    outcomes,
    async started(epochMs, originMonotonicNs) {
      originEpochMs = epochMs
      writer = await createRecordWriter(run, epochMs)
      const runMs = (): number => (server.clock.nowNs() - originMonotonicNs) / 1e6
      observing = observeRun(server, series, runMs, server.logger, isOver.signal)
    },
    async records(records: readonly RequestRecord[]) {
      for (const {phase, outcome} of records) {
        if (phase === 'measure') outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
      await writer?.append(records)
    },
    progress: counts => watcher.progress(counts),
    async close(end) {
      isOver.abort()
      await observing
      await writer?.close()
      await series.close()
      await writeMeta(run, {
        ...meta,
        status: end === null ? 'failed' : end.wasStopped ? 'interrupted' : 'complete',
        ended_at: new Date().toISOString(),
        origin_epoch_ms: originEpochMs,
        measure_start_ms: end?.measureStartAtMs ?? null,
        instrument: end === null ? null : instrumentJson(end.instrument),
      })
    },
  }
}

function instrumentJson({
  tokenDelay,
  firstTokenDelay,
  lateness,
  eventLoopDelay,
  cpuShare,
  tokenReads,
}: ProcessInstrument): NonNullable<RunMeta['instrument']> {
  return {
    ttft_error_p99_ms: firstTokenDelay.p99Ms,
    gap_error_p99_ms: tokenDelay.p99Ms,
    cpu_share_max: cpuShare,
    lateness_p99_ms: lateness.p99Ms,
    workers: 1,
    lateness_ms: {p50: lateness.p50Ms, p99: lateness.p99Ms, max: lateness.maxMs},
    event_loop_delay_ms: {p50: eventLoopDelay.p50Ms, p99: eventLoopDelay.p99Ms, max: eventLoopDelay.maxMs},
    read_delay_ms: {p50: tokenDelay.p50Ms, p99: tokenDelay.p99Ms, max: tokenDelay.maxMs},
    token_reads: tokenReads,
  }
}
