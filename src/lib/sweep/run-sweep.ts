import {join} from 'node:path'
import {existsSync} from 'node:fs'
import {errorDocument} from '../foundation/index.js'
import {judgeRun, type JudgedObjective, type Objective} from '../gate/index.js'
import {writeFileAtomic, type RunResults} from '../runs/index.js'
import {nextKneeStep, type KneeObservation, type KneeSearch} from './knee.js'
import {SWEEP_METRICS} from './summary.js'
import {sweepCsv} from './sweep-csv.js'
import {SWEEP_CSV, writeSweep, type SweepFile, type SweepPoint} from './sweep-file.js'

/** Measures one point into a folder. @param length of a search: how much longer than the standard it is to run */
export type MeasurePoint = (point: SweepPoint, runDir: string) => Promise<RunResults>

export interface SweepWatcher {
  begins(point: SweepPoint, count: number | null): void
  ended(point: SweepPoint): void
}

/**
 * Runs what is pending of a grid, one after another. A run that fails is written down and the sweep goes on; an interrupted
 * one stays pending.
 *
 * @returns the sweep as it stands on disk
 * @throws the signal's reason
 */
export async function runGrid(
  folder: string,
  sweep: SweepFile,
  measure: MeasurePoint,
  watcher: SweepWatcher,
  signal: AbortSignal,
): Promise<SweepFile> {
  let now = sweep
  for (const {index} of sweep.points.filter(({status}) => status === 'pending')) {
    signal.throwIfAborted()
    const point = now.points.find(one => one.index === index)!
    watcher.begins(point, now.points.length)
    const {point: done} = await runPoint(folder, point, measure, signal)
    watcher.ended(done)
    now = {...now, points: now.points.map(one => (one.index === index ? done : one))}
    await save(folder, now)
  }
  return finish(folder, now)
}

/**
 * Searches the highest value of one axis that keeps all objectives. Runs that were made count: the search goes on behind them.
 *
 * @throws the signal's reason
 */
export async function runKnee(
  folder: string,
  sweep: SweepFile,
  search: KneeSearch,
  objectives: readonly Objective[],
  measure: MeasurePoint,
  watcher: SweepWatcher,
  signal: AbortSignal,
): Promise<SweepFile> {
  const axis = sweep.axes[0]!.name
  let now = sweep
  for (;;) {
    signal.throwIfAborted()
    const step = nextKneeStep(
      now.points.flatMap(point => observationOf(point, axis)),
      search,
    )
    if (step.kind === 'done') {
      const {best, failing} = step
      const at = (value: number | null): SweepPoint | undefined =>
        now.points.findLast(({values}) => value !== null && Number(values[axis]) === value)
      now = {
        ...now,
        knee: {
          ...{axis, best, failing},
          precision: search.precision,
          limiting: at(failing)?.missed ?? [],
          run_dir: at(best)?.run_dir ?? null,
        },
      }
      return finish(folder, now)
    }
    const point: SweepPoint = {
      index: now.points.length + 1,
      values: {[axis]: String(step.value)},
      repetition: 1,
      status: 'pending',
      run_dir: null,
      error: null,
      metrics: null,
      verdict: null,
      length: step.length,
      missed: [],
    }
    watcher.begins(point, null)
    const done = judged(await runPoint(folder, point, measure, signal), objectives)
    watcher.ended(done)
    now = {...now, points: [...now.points, done]}
    await save(folder, now)
  }
}

interface MeasuredPoint {
  readonly point: SweepPoint
  /** Null when the run failed. */
  readonly results: RunResults | null
}

async function runPoint(
  folder: string,
  point: SweepPoint,
  measure: MeasurePoint,
  signal: AbortSignal,
): Promise<MeasuredPoint> {
  const run_dir = freeName(folder, point)
  try {
    const results = await measure(point, join(folder, run_dir))
    const metrics = Object.fromEntries(SWEEP_METRICS.map(name => [name, results[name]]))
    return {point: {...point, status: 'completed', run_dir, metrics}, results}
  } catch (error) {
    signal.throwIfAborted()
    const {code, message} = errorDocument(error).error
    return {point: {...point, status: 'failed', run_dir, error: {code, message}}, results: null}
  }
}

/** A run that failed, or has no figure for a goal, does not keep it. */
function judged({point, results}: MeasuredPoint, objectives: readonly Objective[]): SweepPoint {
  if (results === null) return {...point, verdict: 'FAIL', missed: [point.error?.message ?? 'failed']}
  const {verdict, objectives: all} = judgeRun(results, objectives, {allowsMissing: false, keepsPasses: true})
  const missed = all
    .filter(one => one.verdict !== 'PASS')
    .map(({objective, reason}) => `${objective.text}: ${reason}`)
  const isHopeless = all.some(one => one.verdict === 'INCONCLUSIVE' && isFarBeyond(one))
  const isUnsure = verdict === 'INCONCLUSIVE' && !isHopeless
  return {...point, verdict: isUnsure ? 'UNSURE' : verdict === 'PASS' ? 'PASS' : 'FAIL', missed}
}

/** No longer run brings back a figure that is this much worse than its limit, whoever was to blame for it. */
const FAR = 2

function isFarBeyond({objective: {operator, limit}, figure: {value}}: JudgedObjective): boolean {
  if (value === null || limit <= 0) return false
  return operator.startsWith('<') ? value > FAR * limit : value < limit / FAR
}

function observationOf({values, verdict, length}: SweepPoint, axis: string): KneeObservation[] {
  return verdict === null ? [] : [{value: Number(values[axis]), verdict, length: length ?? 1}]
}

/** `003_concurrency-10_max-tokens-64`; `-2` behind it when a run that was cut off has it. */
function freeName(folder: string, {index, values, repetition, length}: SweepPoint): string {
  const parts = Object.entries(values).map(([name, value]) => `${name}-${value.replaceAll(/[^\w.]+/g, '_')}`)
  const more = [
    ...(repetition > 1 ? [`r${repetition}`] : []),
    ...(length !== null && length > 1 ? [`x${length}`] : []),
  ]
  const name = [String(index).padStart(3, '0'), ...parts, ...more].join('_').slice(0, 120)
  let free = name
  for (let attempt = 2; existsSync(join(folder, free)); attempt++) free = `${name}-${attempt}`
  return free
}

async function finish(folder: string, sweep: SweepFile): Promise<SweepFile> {
  const ended = {...sweep, ended_at: new Date().toISOString()}
  await save(folder, ended)
  return ended
}

async function save(folder: string, sweep: SweepFile): Promise<void> {
  await writeSweep(folder, sweep)
  await writeFileAtomic(join(folder, SWEEP_CSV), sweepCsv(sweep))
}
