import {readdir, readFile, realpath} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {isSystemError} from '../foundation/index.js'
import {readStartTicks} from '../processes/index.js'
import {
  openRunDirectory,
  readMeta,
  RUN_FILES,
  writeJsonAtomic,
  writeMeta,
  type RunDirectory,
} from '../runs/index.js'
import {jobFileSchema, type JobFile} from './job.js'

const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** @throws ResourceError `DISK_FULL`, `NOT_WRITABLE` */
export async function writeJobFile(folder: string, job: JobFile): Promise<void> {
  await writeJsonAtomic(join(folder, job.run_id, RUN_FILES.job), job)
}

/** Null where a run was not made by a service, or its file is torn. */
export async function readJobFile(folder: string, runId: string): Promise<JobFile | null> {
  try {
    return jobFileSchema.parse(JSON.parse(await readFile(join(folder, runId, RUN_FILES.job), 'utf8')))
  } catch {
    return null
  }
}

/**
 * The run of that name when it lies directly in the folder of runs, links followed; null for everything else, whatever the
 * name tries.
 */
export async function findRun(folder: string, runId: string): Promise<RunDirectory | null> {
  if (!RUN_ID.test(runId)) return null
  try {
    const [root, run] = [await realpath(folder), await realpath(join(folder, runId))]
    return dirname(run) === root ? await openRunDirectory(run) : null
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null
    throw error
  }
}

/** Run ids, newest first: their names begin with the time. */
export async function listRuns(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, {withFileTypes: true})
    const names = entries.filter(entry => entry.isDirectory()).map(({name}) => name)
    return names
      .filter(name => RUN_ID.test(name))
      .sort()
      .reverse()
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return []
    throw error
  }
}

/** Files read at one time: a folder may hold thousands of runs, and a server waits for them before it listens. */
const READ_AT_ONCE = 32

/**
 * Marks the jobs of services that are gone as failed; jobs of one that lives are its own.
 *
 * @returns every job of the folder, newest first
 */
export async function recoverJobs(folder: string, now: () => Date): Promise<JobFile[]> {
  const runIds = await listRuns(folder)
  const jobs = new Array<JobFile | null>(runIds.length).fill(null)
  let next = 0
  const recover = async (): Promise<void> => {
    for (let place = next++; place < runIds.length; place = next++)
      jobs[place] = await recoverJob(folder, runIds[place]!, now)
  }
  await Promise.all(Array.from({length: READ_AT_ONCE}, recover))
  return jobs.filter(job => job !== null)
}

async function recoverJob(folder: string, runId: string, now: () => Date): Promise<JobFile | null> {
  const job = await readJobFile(folder, runId)
  if (job?.run_id !== runId) return null
  const isOpen = job.status === 'queued' || job.status === 'running'
  if (!isOpen || (await isAlive(job.owner))) return job
  const failed: JobFile = {
    ...job,
    status: 'failed',
    ended_at: now().toISOString(),
    exit_code: 1,
    error: {code: 'SERVER_ENDED', message: `the server ended while the run was ${job.status}`},
  }
  await markFailed(folder, failed)
  return failed
}

/** Writes the state, and into `meta.json` too when the run had begun. */
export async function markFailed(folder: string, job: JobFile): Promise<void> {
  await writeJobFile(folder, job)
  const run = await findRun(folder, job.run_id)
  const meta = run && (await readMeta(run).catch(() => null))
  if (meta?.status === 'running') await writeMeta(run!, {...meta, status: 'failed', ended_at: job.ended_at})
}

async function isAlive({pid, start_ticks}: JobFile['owner']): Promise<boolean> {
  if (pid === process.pid) return false
  const ticks = await readStartTicks(pid)
  return ticks !== null && ticks === start_ticks
}
