import {closeSync, createReadStream, openSync, writeSync} from 'node:fs'
import {createInterface} from 'node:readline'
import {ConfigurationError, isSystemError, ResourceError, type Clock} from '../foundation/index.js'
import type {MonitorLook} from './host-look.js'
import {monitorJson, parseMonitorLine} from './json.js'

/** A file that looks are written to, one a line. */
export interface Recorder {
  /** @throws ResourceError `RECORDING_FAILED`, such as on a full disk */
  add(look: MonitorLook): void
  close(): void
}

/** @throws ConfigurationError `RECORDING_UNWRITABLE`; an existing file is never overwritten */
export function createRecorder(path: string): Recorder {
  const file = openNew(path)
  return {
    add(look) {
      try {
        writeSync(file, `${JSON.stringify(monitorJson(look))}\n`)
      } catch (error) {
        throw new ResourceError('RECORDING_FAILED', `cannot record into ${path}: ${reasonOf(error)}`, {
          cause: error,
        })
      }
    },
    close: () => closeSync(file),
  }
}

function openNew(path: string): number {
  try {
    return openSync(path, 'wx', 0o644)
  } catch (error) {
    const why = isSystemError(error, 'EEXIST') ? 'it exists already' : reasonOf(error)
    throw new ConfigurationError('RECORDING_UNWRITABLE', `cannot record into ${path}: ${why}`, {cause: error})
  }
}

/**
 * Shows the looks of a recording at the pace at which they were taken, and stays at the last one.
 *
 * @param pace 1 is as recorded, 2 twice as fast
 * @returns when the last one was shown
 * @throws ConfigurationError `RECORDING_UNREADABLE`, `RECORDING_INVALID` with the line
 */
export async function replay(
  path: string,
  pace: number,
  onLook: (look: MonitorLook) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let first: {takenAtMs: number; shownNs: number} | null = null
  for await (const look of readRecording(path)) {
    first ??= {takenAtMs: look.takenAtMs, shownNs: clock.nowNs()}
    const dueNs = first.shownNs + ((look.takenAtMs - first.takenAtMs) * 1e6) / pace
    try {
      await clock.sleep(Math.max(0, (dueNs - clock.nowNs()) / 1e6), signal)
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    onLook(look)
  }
  if (first === null) throw new ConfigurationError('RECORDING_INVALID', `${path} has no look in it`)
}

/** The last line may be cut, as a recorder that was killed leaves it: it is left out. @throws as `replay` */
export async function* readRecording(path: string): AsyncGenerator<MonitorLook> {
  const stream = createReadStream(path, 'utf8')
  let at = 0
  let flaw: Error | null = null
  try {
    for await (const line of createInterface({input: stream, crlfDelay: Infinity})) {
      at++
      if (line.trim() === '') continue
      if (flaw !== null) throw flaw
      let look: MonitorLook
      try {
        look = parseMonitorLine(line, `line ${at} of ${path}`)
      } catch (error) {
        if (at === 1) throw error
        flaw = error as Error
        continue
      }
      yield look
    }
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw new ConfigurationError('RECORDING_UNREADABLE', `cannot read ${path}: ${reasonOf(error)}`, {
      cause: error,
    })
  } finally {
    stream.destroy()
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
