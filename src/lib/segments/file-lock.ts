import type {LockKind, Libc} from '../../native/libc.js'
import {ResourceError, type Clock, type Logger} from '../foundation/index.js'
import {describeHolder, readLocks, type LockEntry} from './lock-table.js'
import type {OpenSegment} from './segment-file.js'

/** What locking needs from outside. */
export interface LockParts {
  readonly libc: Libc
  readonly clock: Clock
  readonly logger: Logger
}

const TRIES_AT_ONCE = 50
const LONGEST_PAUSE_MS = 5
const LOOKS_AT_TABLE = 3

/**
 * Takes the flock(2) lock on the segment itself, by asking again: a call that waits in the kernel would stop the event
 * loop, and one in a thread cannot be given up. Locks last microseconds, so most waits end in the first tries.
 *
 * @returns whether it was granted within `timeoutMs`; the caller's close releases it
 * @throws the signal's reason when aborted first
 * @see ovg-project/kvcached:kvcached/cli/utils.py — the same lock: LOCK_SH to read, LOCK_EX to write
 */
export async function tryLock(
  {libc, clock, logger}: LockParts,
  {fd, name}: OpenSegment,
  kind: LockKind,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = clock.nowNs() + timeoutMs * 1e6
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted()
    for (let turn = 0; turn < TRIES_AT_ONCE; turn++) if (libc.tryFlock(fd, kind)) return true
    if (clock.nowNs() >= deadline) return false
    if (pauseMs === 1) logger.debug(`waiting for the ${kind} lock of ${name}`)
    await clock.sleep(pauseMs, signal)
  }
}

/**
 * {@link tryLock}, where not getting the lock is a failure.
 *
 * @throws ResourceError `SEGMENT_LOCKED`, naming the process that keeps the lock
 */
export async function lock(
  parts: LockParts,
  segment: OpenSegment,
  kind: LockKind,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  if (await tryLock(parts, segment, kind, timeoutMs, signal)) return
  let holders = holdersOf(segment)
  // The kernel gives the table in pieces: one that changes meanwhile can lack a line.
  for (let look = 1; look < LOOKS_AT_TABLE && holders.length === 0; look++) holders = holdersOf(segment)
  const who = holders.map(holder => describeHolder(holder.pid)).join(', ')
  throw new ResourceError(
    'SEGMENT_LOCKED',
    `segment '${segment.name}' is locked by ${who || 'a process that cannot be seen from here'}`,
    {suggestions: ['look at that process; a lock should last microseconds']},
  )
}

function holdersOf({identity}: OpenSegment): LockEntry[] {
  return readLocks(identity).filter(entry => !entry.isWaiting)
}
