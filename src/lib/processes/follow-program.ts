import {NetworkError} from '../foundation/index.js'
import {trackGroup, untrackGroup} from './process-group.js'

/** How a program ended that was heard while it ran. */
export interface FollowedProgram {
  /** null when a signal ended it. */
  readonly code: number | null
  /** The end of what it said there. */
  readonly stderr: string
}

const STDERR_TAIL_CHARS = 4000

/**
 * Runs a program and hears its stdout as it comes, with an argument list, never through a shell, in a process group of its own:
 * Ctrl-C in the terminal reaches kvctl alone. It ends with `signal`, and when kvctl exits.
 *
 * @param onStart told of its group
 * @throws NetworkError `PROGRAM_MISSING`; the signal's reason when aborted
 */
export async function followProgram(
  file: string,
  args: readonly string[],
  {
    onText,
    onStart,
    signal,
  }: {
    readonly onText: (text: string) => void
    readonly onStart?: (pid: number) => void
    readonly signal: AbortSignal
  },
): Promise<FollowedProgram> {
  signal.throwIfAborted()
  const {execa} = await import('execa')
  const child = execa(file, args, {
    ...{stdin: 'ignore', buffer: false, reject: false, cancelSignal: signal, forceKillAfterDelay: 2000},
    ...{detached: true, cleanup: false},
  })
  const {pid} = child
  if (pid !== undefined) {
    trackGroup(pid)
    onStart?.(pid)
  }
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', onText)
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_TAIL_CHARS)
  })
  const {code, exitCode} = await child
  if (pid !== undefined) untrackGroup(pid)
  signal.throwIfAborted()
  if (code === 'ENOENT') throw new NetworkError('PROGRAM_MISSING', `${file} is not installed`)
  return {code: exitCode ?? null, stderr}
}
