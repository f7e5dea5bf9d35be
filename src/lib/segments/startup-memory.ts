import type {Creator} from './creator.js'
import type {SegmentIdentity} from './segment-file.js'
import {heldBytes, type SegmentRecord} from './record.js'

/**
 * What kvctl remembers of a segment. The start-up total is in no file: the first total seen is the best that can be known.
 */
export interface StartupMemory {
  readonly inode: bigint
  readonly birthNs: bigint
  /** The first total seen; null while only totals of 0 were seen. */
  readonly startupBytes: bigint | null
  /** Whether used or preallocated memory was ever seen above 0. */
  readonly wasUsed: boolean
  /** The limits that kvctl wrote itself, oldest first. */
  readonly writtenLimits: readonly bigint[]
  /** The process of ours that made it; null when another program did. */
  readonly creator: Creator | null
}

const LIMITS_KEPT = 16

/**
 * What to remember after a look: the very same when that taught nothing.
 *
 * A new file is a new engine, unless its total is 0: that is what a living engine's next usage update makes of a deleted
 * segment, so the total of before still counts. An engine restarted under an explicit name reuses the file of the killed
 * one: that shows as used and preallocated both back at 0 beside a total which nobody here wrote.
 */
export function remember(
  memory: StartupMemory | null,
  identity: SegmentIdentity,
  record: SegmentRecord,
): StartupMemory {
  const isUsed = heldBytes(record) > 0n
  const total = record.limitBytes > 0n ? record.limitBytes : null
  const {inode, birthNs} = identity
  const fresh: StartupMemory = {
    inode,
    birthNs,
    startupBytes: total,
    wasUsed: isUsed,
    writtenLimits: [],
    creator: null,
  }
  if (memory === null) return fresh
  if (memory.inode !== inode || memory.birthNs !== birthNs) {
    return total === null ? {...memory, inode, birthNs, wasUsed: isUsed, creator: null} : fresh
  }
  const isRestarted =
    !isUsed &&
    memory.wasUsed &&
    total !== null &&
    ![memory.startupBytes, ...memory.writtenLimits].includes(total)
  if (isRestarted) return fresh
  const startupBytes = memory.startupBytes ?? total
  const wasUsed = memory.wasUsed || isUsed
  const isSame = startupBytes === memory.startupBytes && wasUsed === memory.wasUsed
  return isSame ? memory : {...memory, startupBytes, wasUsed}
}

/** What to remember of a segment that this process makes. */
export function rememberMade(
  {inode, birthNs}: SegmentIdentity,
  limitBytes: bigint,
  creator: Creator | null,
): StartupMemory {
  const startupBytes = limitBytes > 0n ? limitBytes : null
  return {inode, birthNs, startupBytes, wasUsed: false, writtenLimits: [], creator}
}

/** Whether a total is the first one seen or one that kvctl wrote; true while nothing is known. */
export function isLimitKnown({startupBytes, writtenLimits}: StartupMemory, limitBytes: bigint): boolean {
  return startupBytes === null || limitBytes <= 0n || [startupBytes, ...writtenLimits].includes(limitBytes)
}

/** Notes a limit of our own, so that it is never taken for an engine's start-up total. */
export function rememberWritten(memory: StartupMemory, limitBytes: bigint): StartupMemory {
  if (memory.writtenLimits.at(-1) === limitBytes) return memory
  return {...memory, writtenLimits: [...memory.writtenLimits, limitBytes].slice(-LIMITS_KEPT)}
}

/** The stored form: digits as text, since they may exceed 2^53. */
export function formatMemory(memory: StartupMemory): string {
  return JSON.stringify({
    inode: String(memory.inode),
    birth_ns: String(memory.birthNs),
    startup_bytes: memory.startupBytes === null ? null : String(memory.startupBytes),
    was_used: memory.wasUsed,
    written_limits: memory.writtenLimits.map(String),
    creator: memory.creator && {
      pid: memory.creator.pid,
      start_ticks: memory.creator.startTicks,
      pid_namespace: memory.creator.pidNamespace,
    },
  })
}

/** @returns null for text that is not of this form */
export function parseMemory(text: string): StartupMemory | null {
  try {
    const stored = JSON.parse(text) as Record<string, unknown>
    const startup = stored['startup_bytes']
    const written = stored['written_limits']
    if (!Array.isArray(written)) return null
    return {
      inode: digits(stored['inode']),
      birthNs: digits(stored['birth_ns']),
      startupBytes: startup === null ? null : digits(startup),
      wasUsed: stored['was_used'] === true,
      writtenLimits: written.map(digits),
      creator: creatorIn(stored['creator']),
    }
  } catch {
    // A damaged memory is no memory.
    return null
  }
}

function creatorIn(value: unknown): Creator | null {
  if (typeof value !== 'object' || value === null) return null
  const {pid, start_ticks, pid_namespace} = value as Record<string, unknown>
  if (!Number.isInteger(pid) || !Number.isInteger(start_ticks)) return null
  return {
    pid: pid as number,
    startTicks: start_ticks as number,
    pidNamespace: typeof pid_namespace === 'string' ? pid_namespace : null,
  }
}

function digits(value: unknown): bigint {
  if (typeof value !== 'string' || !/^-?\d+$/.test(value)) throw new TypeError('not digits')
  return BigInt(value)
}
