import type {Writable} from 'node:stream'
import {ResourceError} from '../foundation/index.js'
import {killGroup, trackGroup, untrackGroup} from './process-group.js'

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs?: number
  /** Where its output goes while it runs. */
  readonly stdout: Writable
  readonly stderr: Writable
  readonly signal: AbortSignal
}

export interface RunResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly isTimedOut: boolean
  /** The end of what it said, both streams as they came. */
  readonly output: string
}

const OUTPUT_CHARS = 256 * 1024

/**
 * Runs a program to its end with an argument list, never through a shell, in a process group of its own and without stdin. The
 * whole group ends with it: at the time limit and on abort it gets SIGTERM, then SIGKILL, and whoever is left of it when the
 * program itself has ended is killed.
 *
 * @throws ResourceError `PROGRAM_NOT_STARTED`; the signal's reason when aborted
 */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  const {env = {}, timeoutMs, graceMs = 2000, signal} = options
  signal.throwIfAborted()
  const {execa} = await import('execa')
  const child = execa(file, args, {
    ...{env, detached: true, cleanup: false, buffer: false, reject: false},
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const {pid} = child
  if (pid === undefined) throw new ResourceError('PROGRAM_NOT_STARTED', `${file} could not be started`)
  trackGroup(pid)
  let output = ''
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].pipe(options[name], {end: false})
    child[name].on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-OUTPUT_CHARS)))
  }

  let isTimedOut = false
  let killTimer: NodeJS.Timeout | undefined
  const end = (): void => {
    killGroup(pid, 'SIGTERM')
    killTimer ??= setTimeout(() => killGroup(pid, 'SIGKILL'), graceMs)
  }
  const timer = setTimeout(() => {
    isTimedOut = true
    end()
  }, timeoutMs)
  signal.addEventListener('abort', end)
  // Its children may outlive it and hold its output open.
  child.once('exit', () => killGroup(pid, 'SIGKILL'))
  try {
    const {exitCode, signal: by} = await child
    signal.throwIfAborted()
    return {code: exitCode ?? null, signal: by ?? null, isTimedOut, output}
  } finally {
    clearTimeout(timer)
    clearTimeout(killTimer)
    signal.removeEventListener('abort', end)
    untrackGroup(pid)
  }
}
