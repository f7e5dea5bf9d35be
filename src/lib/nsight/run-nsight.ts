import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Writable} from 'node:stream'
import {formatDurationMs, ResourceError} from '../foundation/index.js'
import {runProgram, whoHasOpen} from '../processes/index.js'
import {profileProcesses, type ProcessProfile} from './aggregate.js'
import {explainNcu, unexplainedNcu} from './explain.js'
import {ncuArguments, type NsightOptions} from './ncu-arguments.js'
import {readNsightPage} from './read-page.js'

export interface NsightRun extends NsightOptions {
  /** The program `ncu`. */
  readonly ncu: string
  /** After which the whole process group is ended. */
  readonly timeoutMs: number
  /** Where the program's own output goes. */
  readonly stdout: Writable
  readonly stderr: Writable
  readonly signal: AbortSignal
}

/** What a profiled command did. */
export interface NsightReport {
  readonly processes: readonly ProcessProfile[]
  /** How the command under Nsight Compute ended: 0, or another status, or a signal's name. */
  readonly ended: number | string
  readonly warnings: readonly string[]
}

/**
 * Runs a command under Nsight Compute and adds its kernels up by process. Nothing is left behind: neither the log, nor a
 * process of the group.
 *
 * @throws ResourceError `NSIGHT_TIMEOUT`, `NSIGHT_…` when nothing was profiled; the signal's reason
 */
export async function runNsight(run: NsightRun): Promise<NsightReport> {
  const folder = await mkdtemp(join(tmpdir(), 'kvctl-nsight-'))
  try {
    const logFile = join(folder, 'ncu.csv')
    const {ncu, timeoutMs, stdout, stderr, signal} = run
    const ended = await runProgram(ncu, ncuArguments(run, logFile), {
      env: {LC_ALL: 'C'},
      timeoutMs,
      stdout,
      stderr,
      signal,
    })
    const log = await readFile(logFile, 'utf8').catch(() => '')
    // Without a log file, or before it is opened, what ncu says is among the program's output.
    const text = `${log}\n${ended.output}`
    const {launches} = readNsightPage(log === '' ? ended.output : log)
    if (ended.isTimedOut) throw await timedOut(timeoutMs, launches.length)
    const status = ended.signal ?? ended.code ?? 'no status'
    if (launches.length === 0) throw explainNcu(text) ?? unexplainedNcu(text, String(status))
    const processes = profileProcesses(launches, run.metrics)
    return {processes, ended: status, warnings: warningsOf(text, status, processes)}
  } finally {
    await rm(folder, {recursive: true, force: true})
  }
}

function warningsOf(text: string, status: number | string, processes: readonly ProcessProfile[]): string[] {
  const warnings: string[] = []
  const failure = explainNcu(text)
  if (failure !== null) warnings.push(failure.message)
  if (status !== 0) warnings.push(`the command ended with ${status}`)
  for (const {pid, missing} of processes) {
    if (missing.length > 0) warnings.push(`process ${pid} has no ${missing.join(', ')}`)
  }
  return warnings
}

/** One profiler at a time holds this file of the machine; the others wait for it without a word. */
const LOCK = 'nsight-compute-lock'

async function timedOut(timeoutMs: number, launches: number): Promise<ResourceError> {
  const lock = join(tmpdir(), LOCK)
  const holders = await whoHasOpen(lock)
  const who = holders.map(({pid, command}) => `${command ?? 'a process'} (pid ${pid})`).join(', ')
  const waits = holders.length === 0 ? '' : `; ${lock} is held by ${who}`
  return new ResourceError(
    'NSIGHT_TIMEOUT',
    `the command did not end within ${formatDurationMs(timeoutMs)} and was ended, ${launches} launches in${waits}`,
    {
      suggestions: [
        'a longer --timeout, a smaller --launch-count',
        `one profiler runs at a time on a machine: see who holds ${lock}`,
      ],
    },
  )
}
