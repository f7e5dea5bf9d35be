import type {Logger} from '../foundation/index.js'
import {
  createRecordWriter,
  createTimeSeriesWriter,
  keepRecords,
  writeMeta,
  type Instrument,
  type RecordWriter,
  type RequestRecord,
  type RunDirectory,
  type RunPart,
} from '../runs/index.js'
import {watchAnswers} from './answer-doubts.js'
import type {AnswerCounter} from './count-answers.js'
import type {BenchPlan} from './bench-plan.js'
import {instrumentJson} from './instrument-json.js'
import type {Calibration, RunSample} from './calibrate.js'
import {observeRun, type ObservedServer} from './observe-run.js'
import type {BenchWatcher} from './bench-watcher.js'
import type {ResumePoint} from './resume-point.js'
import type {LoadEnd, LoadObserver} from './run-load.js'

type MetaInput = Parameters<typeof writeMeta>[1]

const FIRST_LOOK_MS = 250

/** A run as it goes to disk. */
export interface RunRecording extends LoadObserver {
  /** How many measured requests ended in each way so far. */
  readonly outcomes: ReadonlyMap<string, number>
  /** What some of them were like. */
  readonly sample: RunSample
  /** Completes every file; `end` is null when a load process failed. */
  close(end: LoadEnd | null, calibration?: Calibration | null): Promise<void>
}

/**
 * Opens the files of a run and keeps them up to date while it lasts, so that it stays readable whenever it is cut off.
 *
 * @param earlier null for a new run
 * @throws ResourceError when they cannot be written
 */
export async function startRecording(
  run: RunDirectory,
  plan: BenchPlan,
  meta: MetaInput,
  earlier: ResumePoint | null,
  server: ObservedServer & {readonly logger: Logger},
  watcher: BenchWatcher,
  tenantOf: ((id: number) => string | null) | null,
  counter: AnswerCounter | null,
): Promise<RunRecording> {
  const parts = earlier?.meta.parts ?? []
  const runMsBefore = parts.length === 0 ? 0 : (earlier?.runMs ?? 0)
  const kept = earlier && (await keepRecords(run, earlier.doneIds))
  let current: MetaInput = {...meta, status: 'running', ended_at: null}
  await writeMeta(run, current)
  const series = await createTimeSeriesWriter(run)
  const outcomes = new Map(earlier?.outcomes)
  const sample = createSample()
  const answers = watchAnswers(plan)
  const isOver = new AbortController()
  let startClock!: (runMsAt: (nowNs: number) => number) => void
  const runMsAt = new Promise<(nowNs: number) => number>(resolve => (startClock = resolve))
  const observation = observeRun(server, series, runMsAt, watcher, server.logger, isOver.signal)
  let writer: RecordWriter | null = null
  let part: RunPart | null = null
  return {
    outcomes,
    sample,
    async started(epochMs, originMonotonicNs) {
      part = {
        origin_epoch_ms: epochMs,
        origin_monotonic_ms: originMonotonicNs / 1e6,
        run_ms: runMsBefore,
        rows_before: earlier?.doneIds.size ?? 0,
        sent_again: earlier?.sentAgain ?? 0,
        url: server.baseUrls[0] ?? null,
        measure_start_ms: null,
        instrument: null,
      }
      current = {...current, origin_epoch_ms: meta.origin_epoch_ms ?? epochMs, parts: [...parts, part]}
      // Before any row: a run that is killed knows its clock.
      await writeMeta(run, current)
      writer = await createRecordWriter(run, epochMs, kept)
      // Counters before anything is sent; a server that is slow to tell them is not waited for.
      await Promise.race([observation.first, server.clock.sleep(FIRST_LOOK_MS)])
      startClock(nowNs => runMsBefore + (nowNs - originMonotonicNs) / 1e6)
    },
    async records(told, generated) {
      const records = counter === null || generated === null ? told : await counter.counted(told, generated)
      for (const record of records) {
        const {phase, outcome} = record
        if (phase !== 'measure') continue
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        sample.take(record)
        answers.take(record)
      }
      watcher.answered?.(records)
      await writer?.append(
        tenantOf === null ? records : records.map(one => ({...one, tenant: tenantOf(one.id)})),
      )
    },
    progress: counts => watcher.progress(counts),
    async close(end, calibration = null) {
      isOver.abort()
      await observation.end
      const closed = await Promise.allSettled([writer?.close(), series.close()])
      const failure = closed.find(one => one.status === 'rejected')
      const instrument = end && {...instrumentJson(end.instruments), calibration}
      const measureStart = end?.measureStartAtMs == null ? null : runMsBefore + end.measureStartAtMs
      const whole = [
        ...parts,
        ...(part === null ? [] : [{...part, measure_start_ms: measureStart, instrument}]),
      ]
      const isWhole = end !== null && failure === undefined
      const own = [...answers.warnings(), ...(counter?.warnings() ?? [])]
      // What an earlier part warned of is told once, with the figures of the last.
      const before = (current.warnings ?? []).filter(({code}) => !own.some(one => one.code === code))
      const written = writeMeta(run, {
        ...current,
        status: !isWhole ? 'failed' : end.wasStopped ? 'interrupted' : 'complete',
        ended_at: new Date().toISOString(),
        warnings: [...before, ...own],
        parts: whole,
        measure_start_ms: parts[0]?.measure_start_ms ?? measureStart,
        instrument: worstOf(whole.flatMap(one => one.instrument ?? [])),
      })
      // A disk that took no records may take no document either; what is there says that the run has not ended.
      await (failure === undefined ? written : written.catch(() => undefined))
      if (failure !== undefined) throw failure.reason
    },
  }
}

/** Completes the files of a run of which no request is missing. */
export async function finishRecording({run, meta, doneIds}: ResumePoint): Promise<void> {
  const writer = await createRecordWriter(run, 0, await keepRecords(run, doneIds))
  await writer.close()
  await writeMeta(run, {...meta, status: 'complete', ended_at: new Date().toISOString()})
}

/** An error bound of a whole run is that of its worst part; spreads are those of the last. */
function worstOf(instruments: readonly Instrument[]): Instrument | null {
  const last = instruments.at(-1)
  if (last === undefined) return null
  const worst = (figure: (one: Instrument) => number | null): number | null =>
    instruments.some(one => figure(one) === null) ? null : Math.max(...instruments.map(one => figure(one)!))
  return {
    ...last,
    ttft_error_p99_ms: worst(one => one.ttft_error_p99_ms),
    gap_error_p99_ms: worst(one => one.gap_error_p99_ms),
    cpu_share_max: worst(one => one.cpu_share_max),
    lateness_p99_ms: worst(one => one.lateness_p99_ms),
  }
}

const SAMPLE_REQUESTS = 2000

/** The first successful requests of a run, of which a calibration learns its shape. */
function createSample(): RunSample & {take(record: RequestRecord): void} {
  const [ttftMs, gapMs, chunks, e2eMs]: number[][] = [[], [], [], []]
  return {
    ttftMs: ttftMs!,
    gapMs: gapMs!,
    chunks: chunks!,
    e2eMs: e2eMs!,
    take({outcome, sentAtMs, firstTokenAtMs, lastTokenAtMs, doneAtMs, chunkCount}) {
      if (outcome !== 'ok' || ttftMs!.length >= SAMPLE_REQUESTS || sentAtMs === null) return
      if (firstTokenAtMs === null || lastTokenAtMs === null || doneAtMs === null) return
      ttftMs!.push(firstTokenAtMs - sentAtMs)
      chunks!.push(chunkCount)
      e2eMs!.push(doneAtMs - sentAtMs)
      if (chunkCount > 1) gapMs!.push((lastTokenAtMs - firstTokenAtMs) / (chunkCount - 1))
    },
  }
}
