import {once} from 'node:events'
import {spawn} from 'node:child_process'
import {ResourceError} from '../foundation/index.js'

/**
 * Runs a line that a person typed in the system's shell, on this terminal. The only place where text becomes a command: never
 * for a line of a script, a file or a request.
 *
 * @throws ResourceError `PROGRAM_NOT_STARTED`
 */
export async function runInTerminal(line: string): Promise<void> {
  const child = spawn('/bin/sh', ['-c', line], {stdio: 'inherit'})
  try {
    await once(child, 'close')
  } catch (error) {
    throw new ResourceError('PROGRAM_NOT_STARTED', `/bin/sh could not be started: ${String(error)}`, {
      cause: error,
    })
  }
}
