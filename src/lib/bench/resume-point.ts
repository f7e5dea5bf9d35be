import {hostname} from 'node:os'
import {join} from 'node:path'
import {ConfigurationError, isSystemError, ResourceError} from '../foundation/index.js'
import {readStartTicks} from '../processes/index.js'
import {
  readMeta,
  readRequests,
  readTimeSeries,
  RUN_FILES,
  type RequestTable,
  type RunDirectory,
  type RunMeta,
} from '../runs/index.js'
import {answersOf} from '../workloads/index.js'
import {planBench, type BenchPlan} from './bench-plan.js'
import type {TokenFit} from './prompts.js'
import {idsIn, missingList, type SendList} from './send-list.js'
import {readStoredPlan} from './stored-plan.js'
import {workloadOf} from './workload-of.js'

/** Where an unfinished run goes on. */
export interface ResumePoint {
  readonly run: RunDirectory
  readonly meta: RunMeta
  readonly plan: BenchPlan
  readonly fit: TokenFit
  readonly model: string
  /** Where it was sent; none for kvctl's own engine. */
  readonly urls: readonly string[]
  /** Requests with a result, whatever it is. */
  readonly doneIds: ReadonlySet<number>
  /** How many of the measured ones among them ended in each way. */
  readonly outcomes: ReadonlyMap<string, number>
  readonly list: SendList
  /** At least so many of them were begun or owed before. */
  readonly sentAgain: number
  /** Run time at which it goes on. */
  readonly runMs: number
}

/** What we stopped or never sent says nothing about the server: it is still to be measured. */
const UNMEASURED: ReadonlySet<string> = new Set(['aborted', 'not_sent'])

/** What `findResumePoint` promises. */
export async function readResumePoint(run: RunDirectory): Promise<ResumePoint> {
  const meta = await readMeta(run)
  const {options: stored, model, fit} = readStoredPlan(meta.plan, join(run.path, RUN_FILES.meta))
  if (meta.status === 'complete') {
    throw new ConfigurationError('RUN_COMPLETE', `the run in ${run.path} is complete: nothing is missing`, {
      suggestions: [`kvctl report --run-dir ${run.path}`, 'kvctl bench, which starts a new run'],
    })
  }
  await requireNoWriter(run, meta)
  const {options, workload} = await workloadOf(stored)
  const plan = planBench(options, workload)
  const isOther =
    plan.scheduleSha256 !== (meta['schedule_sha256'] ?? null) ||
    plan.workloadSha256 !== (meta['workload_sha256'] ?? null)
  if (isOther) {
    throw new ConfigurationError(
      'PLAN_CHANGED',
      `this kvctl draws another schedule from the plan in ${run.path} than kvctl ${meta.tool_version} did`,
      {suggestions: ['kvctl bench, which starts a new run']},
    )
  }
  const table = await readTableIfAny(run, meta)
  const doneIds = table === null ? new Set<number>() : idsOfResults(table)
  if (workload !== null && answersOf(workload)) dropUnfinishedTalks(plan, doneIds)
  const runMs = await endOfRunMs(run, table)
  const list = missingList(plan, doneIds, runMs - measureStartMs(table, runMs))
  const lastBegun = table === null ? 0 : table.id.reduce((last, id) => Math.max(last, id), 0)
  return {
    run: {...run, runId: meta.run_id ?? run.runId},
    meta,
    plan,
    fit,
    model,
    urls: meta.server?.is_embedded === true ? [] : meta.urls,
    doneIds,
    outcomes: table === null ? new Map() : countOutcomes(table, doneIds),
    list,
    sentAgain: [...idsIn(list)].filter(id => id <= lastBegun).length,
    runMs,
  }
}

/** A process that still lives and writes: two would send every request twice. */
async function requireNoWriter(run: RunDirectory, {status, client}: RunMeta): Promise<void> {
  if (status !== 'running' || client?.pid == null || client.host !== hostname()) return
  const startTicks = await readStartTicks(client.pid)
  if (startTicks === null || startTicks !== client['pid_start_ticks']) return
  throw new ResourceError('RUN_BUSY', `process ${client.pid} is still measuring into ${run.path}`, {
    suggestions: [`wait for it, or stop it with: kill -INT ${client.pid}`],
  })
}

/** null when the run was ended before its first record. */
async function readTableIfAny(run: RunDirectory, meta: RunMeta): Promise<RequestTable | null> {
  try {
    return await readRequests(run, meta.origin_epoch_ms, meta.parts)
  } catch (error) {
    if (error instanceof ResourceError && isSystemError(error.cause, 'ENOENT')) return null
    throw error
  }
}

function idsOfResults(table: RequestTable): Set<number> {
  return new Set(table.id.filter((_, row) => hasResult(table, row)))
}

function countOutcomes(table: RequestTable, doneIds: ReadonlySet<number>): Map<string, number> {
  const counts = new Map<string, number>()
  for (let row = 0; row < table.count; row++) {
    if (table.isWarmup[row] === 1 || !doneIds.has(table.id[row]!)) continue
    const name = table.outcomeNames[table.outcome[row]!]!
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** Answers that later turns repeat are not stored: such a conversation begins anew. */
function dropUnfinishedTalks({sessions, warmupRequests}: BenchPlan, doneIds: Set<number>): void {
  let first = warmupRequests + 1
  for (const length of sessions ?? []) {
    const ids = Array.from({length}, (_, turn) => first + turn)
    if (!ids.every(id => doneIds.has(id))) for (const id of ids) doneIds.delete(id)
    first += length
  }
}

function hasResult({outcome, outcomeNames}: RequestTable, row: number): boolean {
  return !UNMEASURED.has(outcomeNames[outcome[row]!]!)
}

/** The last thing that is known to have happened, rounded up. */
async function endOfRunMs(run: RunDirectory, table: RequestTable | null): Promise<number> {
  let endMs = 0
  for (const column of table === null ? [] : [table.doneAtUs, table.sentAtUs, table.lastTokenAtUs]) {
    for (const us of column) if (us / 1000 > endMs) endMs = us / 1000
  }
  for await (const {at_ms: at} of readTimeSeries(run)) endMs = Math.max(endMs, at)
  return Math.ceil(endMs)
}

/** @returns `otherwise` while nothing was measured */
function measureStartMs(table: RequestTable | null, otherwise: number): number {
  let first = Infinity
  for (let row = 0; row < (table?.count ?? 0); row++) {
    if (table!.isWarmup[row] === 0 && table!.sentAtUs[row]! < first) first = table!.sentAtUs[row]!
  }
  return first === Infinity ? otherwise : first / 1000
}
