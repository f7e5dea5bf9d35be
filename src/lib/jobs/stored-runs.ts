import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {isSystemError, ResourceError} from '../foundation/index.js'
import {readMeta, RUN_FILES, type RunDirectory, type RunMeta} from '../runs/index.js'
import {findRun, listRuns, readJobFile} from './job-file.js'
import type {JobStatus} from './job.js'

/** What a client may see of a run: the documented results, the documented analysis, the report, the requests. */
export const RUN_VIEWS = ['results', 'analysis', 'report', 'requests'] as const
export type RunView = (typeof RUN_VIEWS)[number]

/** One line of the list of runs. */
export interface StoredRunJson {
  readonly run_id: string
  readonly status: JobStatus
  readonly profile: string | null
  readonly service: string | null
  readonly model: string | null
  readonly started_at: string | null
  readonly ended_at: string | null
}

const OF_META: Readonly<Record<RunMeta['status'], JobStatus>> = {
  running: 'running',
  complete: 'completed',
  interrupted: 'cancelled',
  failed: 'failed',
}

/** @param after the last run id of the page before; null begins with the newest */
export async function listStoredRuns(
  folder: string,
  limit: number,
  after: string | null,
): Promise<{readonly runs: readonly StoredRunJson[]; readonly next: string | null}> {
  const runs: StoredRunJson[] = []
  for (const runId of await listRuns(folder)) {
    if (after !== null && runId >= after) continue
    const run = await storedRun(folder, runId)
    if (run === null) continue
    if (runs.length === limit) return {runs, next: runs.at(-1)!.run_id}
    runs.push(run)
  }
  return {runs, next: null}
}

/** Null for a folder that is no run. */
export async function storedRun(folder: string, runId: string): Promise<StoredRunJson | null> {
  const directory = await findRun(folder, runId)
  if (directory === null) return null
  const job = await readJobFile(folder, directory.runId)
  const meta = await readMeta(directory).catch(() => null)
  if (job === null && meta === null) return null
  return {
    run_id: directory.runId,
    status: job?.status ?? OF_META[meta!.status],
    profile: job?.profile ?? meta?.profile?.metadata?.name ?? null,
    service: job?.service ?? meta?.service ?? null,
    model: meta?.model ?? null,
    started_at: job?.started_at ?? meta?.started_at ?? null,
    ended_at: job?.ended_at ?? meta?.ended_at ?? null,
  }
}

const FILE_OF_VIEW = {
  results: RUN_FILES.results,
  analysis: RUN_FILES.analysis,
  report: RUN_FILES.report,
  requests: RUN_FILES.requests,
} as const

/** The text of one view. @throws ResourceError `RUN_INCOMPLETE` when the run has none */
export async function readView({path, runId}: RunDirectory, view: RunView): Promise<string> {
  try {
    return await readFile(join(path, FILE_OF_VIEW[view]), 'utf8')
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error
    throw new ResourceError('RUN_INCOMPLETE', `${runId} has no ${FILE_OF_VIEW[view]}`, {cause: error})
  }
}
