import type {Claim} from './claims.js'
import type {SegmentRecord} from './record.js'
import {isTool, showCommand} from './program-kind.js'

/**
 * Whether an engine stands behind a segment; nothing in the file says so and no engine keeps it open.
 *
 * - `live`: an engine was seen reading it, or a running engine is known to be its own
 * - `idle`: a process that could be its engine runs, but was not seen using it
 * - `stale`: proven dead
 * - `foreign`: it cannot be kvcached's, or it is another user's and cannot be probed from here
 * - `unknown`: nothing that can be seen from here tells
 */
export type Verdict = 'live' | 'idle' | 'stale' | 'foreign' | 'unknown'

export interface Liveness {
  readonly verdict: Verdict
  /** The engine's process, when it is known. */
  readonly pid: number | null
  /** What that process was started with, without secrets. */
  readonly owner: string | null
  /** One clause for people. */
  readonly because: string
}

/** What was seen; null is "cannot tell from here" or "not looked at". */
export interface Sightings {
  readonly record: SegmentRecord
  /** The user the file belongs to, if its processes cannot be looked into from here. */
  readonly otherUser: number | null
  /** The process that made it, noted when kvctl's own engine did. */
  readonly creator: {
    readonly pid: number
    readonly command: string | null
    readonly isRunning: boolean | null
  } | null
  /** Living processes that would use this name, likeliest first. */
  readonly claims: readonly Claim[]
  /** The process group in a default name; null for other names. */
  readonly groupId: number | null
  /** Whether every process of the machine could be seen. */
  readonly isWholeMachine: boolean
  /** What probing showed; null when the segment was only looked at. */
  readonly probe: ProbeSightings | null
}

export interface ProbeSightings {
  /** Processes that queued for the lock while it was held, with what they were started with. */
  readonly queued: readonly {readonly pid: number; readonly command: string | null}[]
  /** A process that kept the lock itself for the whole probe. */
  readonly holder: {readonly pid: number; readonly command: string | null} | null
  /** Whether somebody read the file within several of a watcher's periods. */
  readonly wasRead: boolean | null
}

/** Pure: the verdict from what was seen. */
export function judge(seen: Sightings): Liveness {
  return atWork(seen) ?? knownEngine(seen) ?? possibleEngine(seen) ?? notOurs(seen) ?? absence(seen)
}

/** Pure: an engine caught in the act. */
export function atWork({probe}: Pick<Sightings, 'probe'>): Liveness | null {
  if (probe === null) return null
  const engine = probe.queued.find(({command}) => !isTool(command))
  if (engine) return found('live', engine, `pid ${engine.pid} waits to read it`)
  if (probe.holder) return found('live', probe.holder, `pid ${probe.holder.pid} holds its lock`)
  if (probe.wasRead === true && probe.queued.length === 0) return nobody('live', 'something keeps reading it')
  return null
}

function knownEngine({creator, claims}: Sightings): Liveness | null {
  if (creator?.isRunning === true) return found('live', creator, `pid ${creator.pid} made it and runs`)
  const engine = claims.find(claim => claim.isEngine || claim.isCore)
  return engine ? found('live', engine, `pid ${engine.pid} is an engine ${relation(engine)}`) : null
}

function possibleEngine({creator, claims, groupId}: Sightings): Liveness | null {
  // Our engine made the segment of its group and is gone: that the group lives on, as a script's does, says nothing.
  const isGroupIrrelevant = creator?.isRunning === false && groupId !== null
  const claim = claims.find(({via}) => via === 'name' || !isGroupIrrelevant)
  return claim ? found('idle', claim, `pid ${claim.pid} runs ${relation(claim)}`) : null
}

function notOurs({record, otherUser, probe}: Sightings): Liveness | null {
  const why = impossibleBecause(record)
  if (why !== null) return nobody('foreign', why)
  if (otherUser === null || (probe !== null && probe.wasRead !== null)) return null
  return nobody('foreign', `it belongs to user ${otherUser}, whose processes cannot be looked into from here`)
}

function absence({creator, groupId, isWholeMachine, probe}: Sightings): Liveness {
  if (probe?.wasRead === true) return nobody('unknown', 'only tools were seen reading it')
  if (creator?.isRunning === false) return nobody('stale', `pid ${creator.pid}, which made it, is gone`)
  if (probe?.wasRead === false) return nobody('stale', 'nothing reads it')
  if (groupId !== null && isWholeMachine)
    return nobody('stale', `no program of process group ${groupId} is left`)
  if (probe !== null) return nobody('unknown', 'its access time cannot be watched from here')
  return groupId === null
    ? nobody('unknown', 'no process seen from here says that it uses this name')
    : nobody(
        'unknown',
        `no program of process group ${groupId} is seen from here, which is not the whole machine`,
      )
}

/** More than any GPU has: 1 PiB. A limit may be absurd, since tools write what they are told; these two cannot. */
const MOST_BYTES = 2n ** 50n

/** Pure: why these figures cannot come from kvcached; null if they can. */
export function impossibleBecause({usedBytes, preallocBytes}: SegmentRecord): string | null {
  const isPossible = (bytes: bigint): boolean => bytes >= 0n && bytes <= MOST_BYTES
  if (!isPossible(usedBytes)) return `no engine uses ${usedBytes} bytes`
  return isPossible(preallocBytes) ? null : `no engine has ${preallocBytes} bytes preallocated`
}

function relation({via}: Claim): string {
  return via === 'name' ? 'under its name' : 'in the process group of its name'
}

function found(
  verdict: Verdict,
  {pid, command}: {readonly pid: number; readonly command: string | null},
  because: string,
): Liveness {
  return {verdict, pid, owner: command === null ? null : showCommand(command), because}
}

function nobody(verdict: Verdict, because: string): Liveness {
  return {verdict, pid: null, owner: null, because}
}
