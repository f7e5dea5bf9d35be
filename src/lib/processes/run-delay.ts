import {closeSync, openSync, readSync} from 'node:fs'

const [SPACE, ZERO] = [32, 48]

/** How long the calling thread has been ready to run and waited for a processor. */
export interface RunDelay {
  /** Milliseconds since the thread began; costs about a microsecond. */
  totalMs(): number
  close(): void
}

/**
 * Opens the kernel's own account of this thread; null where it keeps none.
 *
 * @see torvalds/linux:Documentation/scheduler/sched-stats.rst — `/proc/<pid>/schedstat`, second field, nanoseconds
 */
export function openRunDelay(): RunDelay | null {
  let file: number
  try {
    file = openSync('/proc/thread-self/schedstat', 'r')
  } catch {
    return null
  }
  const bytes = Buffer.allocUnsafe(96)
  return {
    totalMs() {
      const end = readSync(file, bytes, 0, bytes.length, 0)
      let ns = 0
      for (let at = bytes.indexOf(SPACE) + 1; at < end && bytes[at] !== SPACE; at++) {
        ns = ns * 10 + bytes[at]! - ZERO
      }
      return ns / 1e6
    },
    close: () => closeSync(file),
  }
}
