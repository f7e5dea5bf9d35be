import {futimesSync, fstatSync} from 'node:fs'
import {tryLock, type LockParts} from './file-lock.js'
import {atWork, type ProbeSightings} from './liveness.js'
import {readLocks} from './lock-table.js'
import {commandLine} from './process-table.js'
import {readRecord, withSegment, type OpenSegment} from './segment-file.js'

/** An engine's watcher reads every 100 ms. */
const QUEUE_HOLD_MS = 150
/** Ten of its periods: a machine that is short of processors delays a watcher, and a late one is no dead one. */
const READ_WAIT_MS = 1000
const LOOK_EVERY_MS = 25
const LOCK_PATIENCE_MS = 1000
const TABLE_EVERY_MS = 15

/**
 * Watches for an engine for up to 1.2 s and holds the segment's lock for 0.15 s of it, which stalls a living engine's
 * allocations: for deleting and pruning, not for polling.
 *
 * @throws SegmentNotFoundError
 * @throws ResourceError `SEGMENT_FOREIGN`, `SEGMENT_FORBIDDEN`
 */
export async function probeSegment(
  parts: LockParts,
  directory: string,
  name: string,
  signal?: AbortSignal,
): Promise<ProbeSightings> {
  return withSegment(directory, name, 'read', async segment => {
    const queue = {...(await probeQueue(parts, segment, signal)), wasRead: null}
    if (atWork({probe: queue})) return queue
    return {...queue, wasRead: await probeReads(parts, segment, signal)}
  })
}

async function probeQueue(
  parts: LockParts,
  segment: OpenSegment,
  signal?: AbortSignal,
): Promise<Pick<ProbeSightings, 'queued' | 'holder'>> {
  if (!(await tryLock(parts, segment, 'exclusive', LOCK_PATIENCE_MS, signal))) {
    const holder = readLocks(segment.identity).find(({isWaiting}) => !isWaiting)
    return {queued: [], holder: holder ? {pid: holder.pid, command: commandLine(holder.pid)} : null}
  }
  const queued = new Map<number, string | null>()
  try {
    const deadline = parts.clock.nowNs() + QUEUE_HOLD_MS * 1e6
    while (parts.clock.nowNs() < deadline) {
      await parts.clock.sleep(TABLE_EVERY_MS, signal)
      for (const {pid, isWaiting} of readLocks(segment.identity)) {
        if (isWaiting && pid !== process.pid && !queued.has(pid)) queued.set(pid, commandLine(pid))
      }
    }
  } finally {
    parts.libc.funlock(segment.fd)
  }
  return {queued: [...queued].map(([pid, command]) => ({pid, command})), holder: null}
}

/** relatime moves an access time that lies before the last change; so it is set far back, and watched. */
async function probeReads(
  {clock}: LockParts,
  segment: OpenSegment,
  signal?: AbortSignal,
): Promise<boolean | null> {
  const longAgoSeconds = 1
  const accessedNs = (): bigint => fstatSync(segment.fd, {bigint: true}).atimeNs
  try {
    futimesSync(segment.fd, longAgoSeconds, Number(fstatSync(segment.fd, {bigint: true}).mtimeNs) / 1e9)
  } catch {
    // Only the owner may set times.
    return null
  }
  const setNs = accessedNs()
  const deadline = clock.nowNs() + READ_WAIT_MS * 1e6
  while (clock.nowNs() < deadline) {
    await clock.sleep(LOOK_EVERY_MS, signal)
    if (accessedNs() !== setNs) return true
  }
  readRecord(segment)
  const canBeSeen = accessedNs() !== setNs
  return canBeSeen ? false : null
}
