import {join} from 'node:path'
import {packageRoot, ResourceError} from '../foundation/index.js'
import {startProgram} from '../processes/index.js'

/** kvctl's own engine, running as a process of its own. */
export interface EmbeddedEngine {
  readonly url: string
  readonly pid: number
  /** Its kvcached segment; null when it keeps none. */
  readonly segment: string | null
  stop(): Promise<void>
}

const READY_MS = 30_000

/**
 * Starts `kvctl engine` on a free port of the loopback and waits until it accepts connections.
 *
 * @param args further arguments of `kvctl engine`
 * @throws ResourceError when it does not come up; the signal's reason when aborted
 */
export async function startEmbeddedEngine(
  args: readonly string[],
  signal: AbortSignal,
): Promise<EmbeddedEngine> {
  const program = startProgram(process.execPath, [
    join(packageRoot, 'bin/run.js'),
    'engine',
    '--port',
    '0',
    '--json',
    ...args,
  ])
  try {
    const line = await program.firstLine(READY_MS, signal)
    return {...readAnnouncement(line), stop: () => program.stop()}
  } catch (error) {
    await program.stop()
    throw error
  }
}

function readAnnouncement(line: string): {url: string; pid: number; segment: string | null} {
  try {
    const {url, pid, segment} = JSON.parse(line) as {url?: unknown; pid?: unknown; segment?: unknown}
    if (typeof url === 'string' && typeof pid === 'number') {
      return {url, pid, segment: typeof segment === 'string' ? segment : null}
    }
  } catch {
    // told below, with the line itself
  }
  throw new ResourceError(
    'ENGINE_NOT_READY',
    `the engine did not say where it listens but '${line.slice(0, 200)}'`,
  )
}
