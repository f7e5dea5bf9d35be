import {futimesSync, fstatSync} from 'node:fs'
import {tryLock, type LockParts} from './file-lock.js'
import {commandLine, readLocks} from './lock-table.js'
import {readRecord, withSegment, type OpenSegment} from './segment-file.js'

/**
 * Whether an engine stands behind a segment; nothing in the file says so and no engine keeps it open.
 *
 * - `live`: something that is no tool was seen reading it
 * - `idle`: nothing was seen, but it is not proven dead either
 * - `stale`: proven dead
 */
export type Verdict = 'live' | 'idle' | 'stale'

export interface Liveness {
  readonly verdict: Verdict
  /** The engine's process, when it showed itself. */
  readonly pid: number | null
  /** One clause for people. */
  readonly because: string
}

/** What the probes saw; null is "cannot tell from here". */
export interface Sightings {
  /** Processes that queued for the lock while it was held, with what they were started with. */
  readonly queued: readonly {readonly pid: number; readonly command: string | null}[]
  /** A process that kept the lock itself for the whole probe. */
  readonly holderPid: number | null
  /** Whether somebody read the file within a watcher's period. */
  readonly wasRead: boolean | null
  /** Whether the process group in a default name exists; null for other names. */
  readonly isGroupAlive: boolean | null
}

/** An engine's watcher reads every 100 ms. */
const QUEUE_HOLD_MS = 150
const READ_WAIT_MS = 250
const LOCK_PATIENCE_MS = 1000
const TABLE_EVERY_MS = 15

/**
 * Watches for an engine for up to 0.4 s and holds the segment's lock for 0.15 s of it, which stalls a living engine's
 * allocations: for deleting and pruning, not for polling.
 *
 * @throws SegmentNotFoundError
 * @throws ResourceError `SEGMENT_FOREIGN`, `SEGMENT_FORBIDDEN`
 */
export async function probeLiveness(
  parts: LockParts,
  directory: string,
  name: string,
  signal?: AbortSignal,
): Promise<Liveness> {
  return withSegment(directory, name, 'read', async segment => {
    const isGroupAlive = probeGroup(name)
    const {queued, holderPid} = await probeQueue(parts, segment, signal)
    const early = judge({queued, holderPid, wasRead: null, isGroupAlive})
    if (early.verdict === 'live') return early
    return judge({queued, holderPid, wasRead: await probeReads(parts, segment, signal), isGroupAlive})
  })
}

/** Pure: the verdict from what was seen. */
export function judge({queued, holderPid, wasRead, isGroupAlive}: Sightings): Liveness {
  const engine = queued.find(({command}) => !isTool(command))
  if (engine) return {verdict: 'live', pid: engine.pid, because: `pid ${engine.pid} waits to read it`}
  if (holderPid !== null) return {verdict: 'live', pid: holderPid, because: `pid ${holderPid} holds its lock`}
  if (wasRead === true && queued.length === 0)
    return {verdict: 'live', pid: null, because: 'something keeps reading it'}
  if (wasRead === true) return {verdict: 'idle', pid: null, because: 'only tools were seen reading it'}
  if (isGroupAlive === true)
    return {verdict: 'idle', pid: null, because: 'the process group in its name exists'}
  if (wasRead === null)
    return {verdict: 'idle', pid: null, because: 'its access time cannot be watched from here'}
  return {verdict: 'stale', pid: null, because: 'nothing reads it'}
}

/** kvcached's own tools and flock(1) also queue for the lock, and are no engines. */
export function isTool(command: string | null): boolean {
  const words = (command ?? '').split(' ')
  const [program, script] = words.map(word => word.split('/').pop())
  if (program === 'flock' || program === 'kvtop' || script === 'kvtop') return true
  const at = program === 'kvctl' ? 0 : script === 'kvctl' ? 1 : -1
  return at >= 0 && words[at + 1] !== 'engine' && words[at + 1] !== 'quickstart'
}

/** The process group at the end of a default name, `kvcached_<tag>_<group>`; null for any other name. */
export function groupInName(name: string): number | null {
  const group = /^kvcached_.+?_(\d+)(?:_\d+|_g\d+)?$/.exec(name)?.[1]
  return group === undefined || Number(group) === 0 ? null : Number(group)
}

function probeGroup(name: string): boolean | null {
  const group = groupInName(name)
  if (group === null) return null
  try {
    return process.kill(-group, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function probeQueue(
  parts: LockParts,
  segment: OpenSegment,
  signal?: AbortSignal,
): Promise<Pick<Sightings, 'queued' | 'holderPid'>> {
  if (!(await tryLock(parts, segment, 'exclusive', LOCK_PATIENCE_MS, signal))) {
    const holder = readLocks(segment.identity).find(({isWaiting}) => !isWaiting)
    return {queued: [], holderPid: holder?.pid ?? null}
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
  return {queued: [...queued].map(([pid, command]) => ({pid, command})), holderPid: null}
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
  await clock.sleep(READ_WAIT_MS, signal)
  if (accessedNs() !== setNs) return true
  readRecord(segment)
  const canBeSeen = accessedNs() !== setNs
  return canBeSeen ? false : null
}
