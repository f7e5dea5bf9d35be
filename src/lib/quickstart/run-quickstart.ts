import {join} from 'node:path'
import {analyzeRun} from '../analysis/index.js'
import {
  runBench,
  runVerdict,
  type BenchOutcome,
  type BenchParts,
  type BenchPlan,
  type LoadCounts,
} from '../bench/index.js'
import type {EmbeddedEngine} from '../inference/index.js'
import {writeReport} from '../report/index.js'
import {RUN_FILES, type RunDirectory, type RunMeta, type RunResults} from '../runs/index.js'
import {
  awaitLimit,
  heldBytes,
  SegmentNotFoundError,
  setLimit,
  type OwnedLook,
  type SegmentRecord,
  type SegmentStore,
} from '../segments/index.js'
import {pressureLimit} from './pressure-limit.js'

/** What the tour needs of the world: the parts of a benchmark, and segments for certain. */
export type QuickstartParts = BenchParts & {readonly segments: SegmentStore}

/** What was done to the limit while requests ran, and what the segment showed. */
export interface LimitStory {
  readonly name: string
  readonly before: SegmentRecord
  readonly limitBytes: bigint
  /** Requests answered when the limit was written. */
  readonly answeredAtChange: number
  /** Written to the first look at which used + preallocated was within the limit. */
  readonly obeyedAfterMs: number
  readonly after: SegmentRecord
}

/** Who watches the tour; called in this order, `progress` any number of times in between. */
export interface QuickstartWatcher {
  engineStarted(engine: EmbeddedEngine, segment: OwnedLook): void
  /** @param counts warm-up included */
  progress(counts: LoadCounts): void
  limitObeyed(story: LimitStory): void
}

export interface QuickstartOutcome {
  readonly engine: EmbeddedEngine
  readonly segment: OwnedLook
  readonly limit: LimitStory
  readonly run: RunDirectory
  readonly results: RunResults
  readonly reportPath: string
}

const OBEY_TIMEOUT_MS = 10_000

/**
 * The tour: an engine of our own, its segment, a benchmark during which the limit shrinks, analysis and report. Whatever
 * happens, the engine has ended and its segment is gone when this returns or throws.
 *
 * @throws ResourceError `LIMIT_PENDING` when the engine did not obey; the signal's reason when aborted
 */
export async function runQuickstart(
  plan: BenchPlan,
  notes: Partial<Pick<RunMeta, 'profile' | 'args'>>,
  parts: QuickstartParts,
  watcher: QuickstartWatcher,
  signal: AbortSignal,
): Promise<QuickstartOutcome> {
  const engine = await parts.startEngine([], signal)
  try {
    const look = await parts.segments.read(engine.segment!)
    const segment = {...look, state: parts.segments.state(look)}
    watcher.engineStarted(engine, segment)
    const {bench, limit} = await benchUnderPressure(plan, notes, engine, parts, watcher, signal)
    const {run} = bench
    const {results} = await analyzeRun(run)
    const reportPath = join(run.path, RUN_FILES.report)
    await writeReport(run, reportPath)
    const failure = runVerdict(bench.outcomes, engine.url)
    if (failure !== null) throw failure
    signal.throwIfAborted()
    return {engine, segment, limit, run, results, reportPath}
  } finally {
    await engine.stop()
    removeLeftover(parts.segments, engine.segment!)
  }
}

async function benchUnderPressure(
  plan: BenchPlan,
  notes: Partial<Pick<RunMeta, 'profile' | 'args'>>,
  engine: EmbeddedEngine,
  parts: QuickstartParts,
  watcher: QuickstartWatcher,
  signal: AbortSignal,
): Promise<{bench: BenchOutcome; limit: LimitStory}> {
  const total = plan.warmupRequests + plan.requests
  const squeezes: Promise<LimitStory>[] = []
  const squeezeAt = plan.warmupRequests + Math.floor(plan.requests / 3)
  const ask = {
    plan,
    resume: null,
    urls: [],
    model: null,
    apiKey: null,
    isInsecure: false,
    workers: 1,
    transport: 'socket',
    isCalibrated: false,
    resetsCache: false,
    notes,
  } as const
  const lentEngine = {...parts, startEngine: async () => ({...engine, stop: async () => {}})}
  const bench = await runBench(
    ask,
    lentEngine,
    {
      note: () => {
        // The tour tells its own story.
      },
      progress: counts => {
        const answered = counts.done + counts.failed
        watcher.progress(counts)
        if (squeezes.length > 0 || answered < squeezeAt || counts.inFlight === 0) return
        const squeezing = squeeze(engine.segment!, answered, parts, signal)
        squeezes.push(squeezing)
        // Told at once; a failure is told when the run has ended, by awaiting it below.
        squeezing.then(
          story => watcher.limitObeyed(story),
          () => {},
        )
      },
    },
    signal,
  )
  signal.throwIfAborted()
  // A run too short for a look at its middle is squeezed at its end: the engine still has to give memory back.
  return {bench, limit: await (squeezes[0] ?? squeeze(engine.segment!, total, parts, signal))}
}

async function squeeze(
  name: string,
  answeredAtChange: number,
  {segments, clock}: QuickstartParts,
  signal: AbortSignal,
): Promise<LimitStory> {
  const patience = {clock, timeoutMs: OBEY_TIMEOUT_MS, signal}
  const {record} = await segments.read(name)
  const startNs = clock.nowNs()
  const change = await setLimit(
    segments,
    name,
    {limitBytes: pressureLimit(record), isForced: false},
    patience,
  )
  await awaitLimit(segments, change, patience)
  const obeyedAfterMs = (clock.nowNs() - startNs) / 1e6
  const {record: after} = await segments.read(name)
  return {name, before: change.before, limitBytes: change.limitBytes, answeredAtChange, obeyedAfterMs, after}
}

/** An engine that had to be killed leaves its segment behind. */
function removeLeftover(segments: SegmentStore, name: string): void {
  try {
    segments.remove(name)
  } catch (error) {
    if (!(error instanceof SegmentNotFoundError)) throw error
  }
}

/** Whether the engine held no more than the new limit when it was looked at. */
export function hasObeyed({after, limitBytes}: LimitStory): boolean {
  return heldBytes(after) <= limitBytes
}
