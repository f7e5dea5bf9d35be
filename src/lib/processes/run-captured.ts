import {NetworkError} from '../foundation/index.js'

/** How a short program ended, and all that it said. */
export interface CapturedProgram {
  /** null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly isTimedOut: boolean
}

const MAX_BYTES = 64 * 2 ** 20

/**
 * Runs a program that answers and ends, with an argument list, never through a shell.
 *
 * @throws NetworkError `PROGRAM_MISSING`; the signal's reason when aborted
 */
export async function runCaptured(
  file: string,
  args: readonly string[],
  options: {readonly input?: string; readonly timeoutMs: number; readonly signal: AbortSignal},
): Promise<CapturedProgram> {
  const {input = '', timeoutMs, signal} = options
  signal.throwIfAborted()
  const {execa} = await import('execa')
  const result = await execa(file, args, {
    ...{input, reject: false, maxBuffer: MAX_BYTES, timeout: timeoutMs, cancelSignal: signal},
    stripFinalNewline: false,
  })
  signal.throwIfAborted()
  if (result.code === 'ENOENT') throw new NetworkError('PROGRAM_MISSING', `${file} is not installed`)
  const {exitCode, stdout, stderr, timedOut} = result
  return {code: exitCode ?? null, stdout, stderr, isTimedOut: timedOut}
}
