import {mkdir, readdir, realpath, rename, rm, stat, symlink} from 'node:fs/promises'
import {basename, dirname, join, resolve} from 'node:path'
import {isSystemError, ResourceError} from '../foundation/index.js'
import {writeFailure} from './write-failure.js'

/** The names of what a run leaves behind. */
export const RUN_FILES = {
  meta: 'meta.json',
  requests: 'requests.csv',
  gaps: 'gaps.bin',
  timeSeries: 'timeseries.jsonl',
  pricing: 'pricing.json',
  prometheus: 'prometheus.json',
  cluster: 'cluster.json',
  results: 'results.json',
  analysis: 'analysis.json',
  report: 'report.html',
  /** What a benchmark service was asked for. */
  job: 'job.json',
  /** What a run of another tool was made of. */
  imported: 'imported.json',
} as const

/** One benchmark's folder; `runId` is its base name. */
export interface RunDirectory {
  readonly path: string
  readonly runId: string
  /** Told how many bytes of its records have just been read. */
  readonly onRead?: (bytes: number) => void
}

export type RunFile = keyof typeof RUN_FILES

/** Bytes of those of its files that are there. */
export async function sizeOfFiles({path}: RunDirectory, files: readonly RunFile[]): Promise<number> {
  const sizes = await Promise.all(
    files.map(async name => (await stat(join(path, RUN_FILES[name])).catch(() => null))?.size ?? 0),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** `YYYY-MM-DD_HH-MM-SS` in local time. */
export function runName(startedAt: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = [startedAt.getFullYear(), two(startedAt.getMonth() + 1), two(startedAt.getDate())].join('-')
  return `${day}_${[startedAt.getHours(), startedAt.getMinutes(), startedAt.getSeconds()].map(two).join('-')}`
}

/**
 * Makes `<root>/YYYY-MM-DD_HH-MM-SS`, with `-2`, `-3` … when another run took the second, and points `<root>/latest` at it.
 *
 * @throws ResourceError `DISK_FULL`, `NOT_WRITABLE`
 */
export async function createRunDirectory(root: string, startedAt: Date): Promise<RunDirectory> {
  const name = runName(startedAt)
  try {
    await mkdir(root, {recursive: true})
  } catch (error) {
    throw writeFailure(error, root)
  }
  for (let attempt = 1; ; attempt++) {
    const path = join(root, attempt === 1 ? name : `${name}-${attempt}`)
    try {
      await mkdir(path)
      await pointLatest(path)
      return {path: resolve(path), runId: basename(path)}
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw writeFailure(error, path)
    }
  }
}

/**
 * Takes a folder that the user named, making it if need be; a folder that already holds a run is refused.
 *
 * @throws ResourceError `RUN_EXISTS`, `DISK_FULL`, `NOT_WRITABLE`
 */
export async function claimRunDirectory(path: string): Promise<RunDirectory> {
  try {
    await mkdir(path, {recursive: true})
    const names: readonly string[] = await readdir(path)
    const taken = [RUN_FILES.meta, RUN_FILES.requests].find(name => names.includes(name))
    if (taken !== undefined) {
      throw new ResourceError('RUN_EXISTS', `${path} already holds a run (${taken})`, {
        suggestions: ['name another folder with --output-dir, or leave it out'],
      })
    }
  } catch (error) {
    throw writeFailure(error, path)
  }
  return {path: resolve(path), runId: basename(resolve(path))}
}

/**
 * Finds an existing run; a link such as `runs/latest` is followed, so that `runId` is the run's own name.
 *
 * @throws ResourceError `RUN_NOT_FOUND`
 */
export async function openRunDirectory(path: string): Promise<RunDirectory> {
  try {
    const real = await realpath(path)
    if ((await stat(real)).isDirectory()) return {path: real, runId: basename(real)}
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error
  }
  throw new ResourceError('RUN_NOT_FOUND', `there is no run directory at ${path}`, {
    suggestions: ['kvctl bench', 'name one with --run-dir'],
  })
}

/** Replaces `latest` beside `path` in one rename; a file system without links, or a real folder of that name, keeps what it has. */
async function pointLatest(path: string): Promise<void> {
  const latest = join(dirname(path), 'latest')
  const temporary = `${latest}.${basename(path)}.tmp`
  try {
    await symlink(basename(path), temporary)
    await rename(temporary, latest)
  } catch (error) {
    await rm(temporary, {force: true})
    if (!isSystemError(error, 'EPERM', 'EISDIR', 'EEXIST', 'ENOTEMPTY', 'ENOSYS', 'ENOTSUP')) throw error
  }
}
