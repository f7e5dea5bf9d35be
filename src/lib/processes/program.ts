import {spawn} from 'node:child_process'
import {ResourceError} from '../foundation/index.js'
import {readLines} from './read-lines.js'
import {isTracked, killGroup, trackGroup, untrackGroup} from './process-group.js'

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Told of every line that the program says. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void
}

export interface ProgramExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A program that was started and is watched until it has ended. */
export interface RunningProgram {
  readonly pid: number
  /** Settles when the program and its output have ended; never rejects. */
  readonly ended: Promise<ProgramExit>
  /**
   * The first line on stdout, by which a server says that it is ready.
   *
   * @throws ResourceError `PROGRAM_ENDED` with the end of its stderr, or `PROGRAM_SILENT`; the signal's reason when aborted
   */
  firstLine(timeoutMs: number, signal: AbortSignal): Promise<string>
  /** SIGTERM to its process group, SIGKILL after `graceMs`; settles when it has ended. */
  stop(graceMs?: number): Promise<void>
}

const STDERR_TAIL_CHARS = 2000
/** What is left of a group when its program has ended may tidy up for so long. */
const REST_MS = 3000

/**
 * Starts a program with an argument list, never through a shell, in a process group of its own: Ctrl-C in the terminal
 * reaches kvctl alone, which then ends the program when its work is tidy. Its stdin is a pipe that closes when kvctl dies,
 * however it dies; the group gets SIGTERM when kvctl exits.
 *
 * @throws ResourceError `PROGRAM_NOT_STARTED`
 */
export function startProgram(
  file: string,
  args: readonly string[],
  {env = {}, cwd = process.cwd(), onLine}: ProgramOptions = {},
): RunningProgram {
  // Not execa, which every worker that is started would load for this.
  const child = spawn(file, args, {env: {...process.env, ...env}, cwd, detached: true, stdio: 'pipe'})
  child.on('error', () => {
    // One that could not be started has no pid.
  })
  const {pid} = child
  if (pid === undefined) {
    throw new ResourceError('PROGRAM_NOT_STARTED', `${file} could not be started`)
  }
  trackGroup(pid)

  let stderrTail = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderrTail = (stderrTail + text).slice(-STDERR_TAIL_CHARS)
  })
  if (onLine)
    for (const stream of ['stdout', 'stderr'] as const) readLines(child[stream], line => onLine(line, stream))
  child.stdin.on('error', () => {
    // The program closed its stdin or ended; `ended` tells.
  })
  const first = readFirstLine(child.stdout)
  // Its children may outlive it, hold its output open and whatever else it had.
  let restTimer: NodeJS.Timeout | undefined
  child.once('exit', () => (restTimer = setTimeout(() => killGroup(pid, 'SIGKILL'), REST_MS)))
  const ended = new Promise<ProgramExit>(resolve => {
    child.once('close', (code, signal) => {
      clearTimeout(restTimer)
      untrackGroup(pid)
      resolve({code, signal})
    })
  })

  return {
    pid,
    ended,
    async firstLine(timeoutMs, signal) {
      const late = new Promise<null>(resolve => setTimeout(resolve, timeoutMs, null).unref())
      const line = await Promise.race([first, ended.then(() => undefined), late, rejectOnAbort(signal)])
      if (typeof line === 'string') return line
      const said = stderrTail.trim().split('\n').slice(-3).join(' ')
      const because = said === '' ? '' : `: ${said}`
      if (line === null) {
        throw new ResourceError('PROGRAM_SILENT', `${file} was not ready within ${timeoutMs} ms${because}`)
      }
      const {code, signal: by} = await ended
      throw new ResourceError('PROGRAM_ENDED', `${file} ended early (${by ?? `status ${code}`})${because}`)
    },
    async stop(graceMs = 5000) {
      if (!isTracked(pid)) return
      killGroup(pid, 'SIGTERM')
      const timer = setTimeout(() => killGroup(pid, 'SIGKILL'), graceMs)
      await ended
      clearTimeout(timer)
    },
  }
}

async function readFirstLine(stdout: NodeJS.ReadableStream): Promise<string | undefined> {
  return new Promise(resolve => {
    let seen = ''
    stdout.setEncoding('utf8')
    // Goes on reading after the first line, so that the program never blocks on a full pipe.
    stdout.on('data', (text: string) => {
      if (seen.includes('\n')) return
      seen += text
      const at = seen.indexOf('\n')
      if (at >= 0) resolve(seen.slice(0, at))
    })
    stdout.on('end', () => resolve(undefined))
  })
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const leave = (): void => reject(signal.reason as Error)
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, {once: true})
  })
}
