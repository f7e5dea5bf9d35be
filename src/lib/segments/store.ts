import {closeSync, fstatSync, lstatSync, openSync, unlinkSync, writeSync} from 'node:fs'
import {isDeepStrictEqual} from 'node:util'
import type {Libc} from '../../native/libc.js'
import {isSystemError, ResourceError, type Clock, type Logger} from '../foundation/index.js'
import {lock, tryLock} from './file-lock.js'
import {thisProcess} from './creator.js'
import {createFileLister} from './folder-stamp.js'
import {judge, type ProbeSightings} from './liveness.js'
import {probeSegment} from './probe.js'
import {encodeRecord, RECORD_BYTES, type SegmentRecord} from './record.js'
import {
  checkInt64,
  forbidden,
  identityOf,
  openSegment,
  readRecord,
  SegmentNotFoundError,
  withSegment,
  type OpenSegment,
} from './segment-file.js'
import type {SegmentLook, SegmentState} from './segment-look.js'
import {checkName} from './segment-name.js'
import {createProcessView, sightingsOf, type TableAge} from './sightings.js'
import {isLimitKnown, remember, rememberMade, rememberWritten, type StartupMemory} from './startup-memory.js'
import type {MemoryStore} from './state-folder.js'
import {warningsOn} from './warnings.js'

/** The part of a look that comes from the file. */
type Seen = Pick<SegmentLook, 'identity' | 'userId' | 'record' | 'isSettled'>

/** A record around the writing of its limit. */
export interface LimitWrite {
  readonly before: SegmentRecord
  readonly after: SegmentRecord
}

/** kvcached's segments in one folder: found, read, locked, limited. Names may also be given as full paths. */
export interface SegmentStore {
  readonly directory: string
  /** Every file that is a segment and has a limit above 0, by name; what cannot be read is left out. */
  list(): Promise<SegmentLook[]>
  /**
   * One segment, whatever its limit.
   *
   * @throws SegmentNotFoundError
   * @throws ResourceError `SEGMENT_FOREIGN`, `SEGMENT_FORBIDDEN`
   */
  read(name: string): Promise<SegmentLook>
  /**
   * An engine's own read: waits for the shared lock in the kernel's queue, where kvctl's liveness probe sees it, off the
   * event loop. Keep one in flight: see `Libc.flockAsync`.
   *
   * @returns null when the segment is gone
   */
  readQueued(name: string): Promise<SegmentRecord | null>
  /**
   * Makes an engine's segment {limit, 0, 0}; a dead engine's leftover of that name is replaced.
   *
   * @throws ResourceError `SEGMENT_LIVE` when another engine uses the name, `SEGMENT_FOREIGN`
   */
  create(name: string, limitBytes: number | bigint): Promise<void>
  /** Unlinks the file, after the checks of `read`. @throws as `read` */
  remove(name: string): void
  /**
   * `remove`, unless the segment is another file or has other figures than at that look, or somebody holds its lock.
   *
   * @returns whether it was removed
   */
  removeUnchanged(look: SegmentLook): Promise<boolean>
  /** Who stands behind it, by what /proc and kvctl's memory show: the segment and its engine notice nothing. */
  state(look: SegmentLook): SegmentState
  /** `state`, after a look for an engine at the segment itself: see `probeSegment`, also for what it costs the engine. */
  probe(name: string, signal?: AbortSignal): Promise<SegmentState>
  /**
   * Writes an engine's figures without waiting.
   *
   * @returns false when the segment is locked or gone just now; the caller tries again after its next step
   */
  publish(name: string, usedBytes: number | bigint, preallocBytes: number | bigint): boolean
  /**
   * Writes a limit, and nothing but the limit, under the exclusive lock.
   *
   * @param limitBytes the limit, or a function that decides it from the record under that same lock; what it throws leaves
   * the segment as it is
   * @throws ResourceError `SEGMENT_LOCKED` naming the process that keeps the lock
   */
  writeLimit(
    name: string,
    limitBytes: bigint | ((look: SegmentLook) => bigint),
    signal?: AbortSignal,
    timeoutMs?: number,
  ): Promise<LimitWrite>
}

export interface SegmentStoreOptions {
  readonly directory: string
  readonly libc: Libc
  readonly clock: Clock
  readonly logger: Logger
  readonly memories: MemoryStore
  /** How long a reader asks for the shared lock before it reads without. */
  readonly readPatienceMs: number
  /** How long a writer asks for the exclusive lock unless told otherwise. */
  readonly lockTimeoutMs: number
}

/** Where Linux keeps POSIX shared memory, and kvcached its segments. */
export const SEGMENT_DIRECTORY = '/dev/shm'

/** @see ovg-project/kvcached:kvcached/cli/utils.py — same files, same locks, same bytes */
export function createSegmentStore(options: SegmentStoreOptions): SegmentStore {
  const {directory, libc, memories, logger} = options
  const view = createProcessView(options.clock)
  const files = createFileLister(directory)
  let listed: ReadonlySet<string> = new Set()

  const seenIn = (segment: OpenSegment, isSettled: boolean): Seen => {
    const {identity, userId} = segment
    return {identity, userId, record: readRecord(segment), isSettled}
  }
  const withMemory = (name: string, seen: Seen, load: MemoryStore['load']): SegmentLook => {
    const known = load(name)
    const memory = seen.isSettled || known === null ? remember(known, seen.identity, seen.record) : known
    if (seen.isSettled) memories.save(name, memory, known)
    return {name, ...seen, ...recalled(memory, seen.record)}
  }
  const read = async (name: string, load = memories.load): Promise<SegmentLook> => {
    const seen = await withSegment(directory, name, 'read-quiet', async segment =>
      seenIn(segment, await tryLock(options, segment, 'shared', options.readPatienceMs)),
    )
    return withMemory(name, seen, load)
  }
  /** @returns null while somebody has the lock */
  const readAtOnce = (name: string, load: MemoryStore['load']): SegmentLook | null => {
    const segment = openSegment(directory, name, 'read-quiet')
    let seen: Seen | null
    try {
      seen = libc.tryFlock(segment.fd, 'shared') ? seenIn(segment, true) : null
    } finally {
      closeSync(segment.fd)
    }
    return seen && withMemory(name, seen, load)
  }
  /** Those of many that can be read, in order; all at once but those that somebody writes just now. */
  const readAll = async (names: readonly string[]): Promise<SegmentLook[]> => {
    const load = memories.loader()
    const looks = new Array<SegmentLook | null>(names.length).fill(null)
    const locked: Promise<void>[] = []
    const skip = (name: string, error: unknown): void => {
      if (!(error instanceof ResourceError)) throw error
      logger.debug(`${name} is left out: ${error.message}`)
    }
    for (const [at, name] of names.entries()) {
      const put = (look: SegmentLook): void => void (looks[at] = look)
      const leave = (error: unknown): void => skip(name, error)
      try {
        const look = readAtOnce(name, load)
        if (look) put(look)
        else locked.push(read(name, load).then(put, leave))
      } catch (error) {
        leave(error)
      }
    }
    await Promise.all(locked)
    return looks.filter(look => look !== null)
  }
  const writeLimit: SegmentStore['writeLimit'] = async (given, limitBytes, signal, timeoutMs) => {
    const name = checkName(directory, given)
    const written = await withSegment(directory, name, 'write', async segment => {
      await lock(options, segment, 'exclusive', timeoutMs ?? options.lockTimeoutMs, signal)
      if (!isCurrent(directory, segment)) return null
      const {identity, userId} = segment
      const before = readRecord(segment)
      const memory = remember(memories.load(name), identity, before)
      const look = {name, record: before, isSettled: true, identity, userId, ...recalled(memory, before)}
      const after = checkInt64(typeof limitBytes === 'function' ? limitBytes(look) : limitBytes)
      writeFully(segment, new BigInt64Array([after]), LIMIT_OFFSET)
      return {identity, before, after: {...before, limitBytes: after}}
    })
    if (written === null) return writeLimit(name, limitBytes, signal, timeoutMs)
    const {identity, before, after} = written
    // Loaded again: another kvctl limit may have come and gone while we waited.
    const known = memories.load(name)
    memories.save(name, rememberWritten(remember(known, identity, before), after.limitBytes), known)
    return {before, after}
  }

  const stateOf = (look: SegmentLook, age: TableAge, probe: ProbeSightings | null): SegmentState => {
    const sightings = sightingsOf(look, () => view(age), probe)
    return {...judge(sightings), warnings: warningsOn(look.isLimitOurs, sightings.claims)}
  }
  const probe = async (name: string, signal?: AbortSignal): Promise<SegmentState> => {
    const look = await read(name)
    // An engine of ours that runs need not be stalled to be seen.
    const known = stateOf(look, PROBE_AGE, null)
    if (known.verdict === 'live') return known
    const probed = await probeSegment(options, directory, name, signal)
    return stateOf(look, PROBE_AGE, probed)
  }
  const makeWay = async (name: string): Promise<void> => {
    const path = `${directory}/${name}`
    const isEmpty = (): boolean => lstatSync(path, {throwIfNoEntry: false})?.size === 0
    if (lstatSync(path, {throwIfNoEntry: false}) === undefined) return
    if (isEmpty()) {
      // Another engine that is just making it writes its 24 bytes in no time; one that was killed before never will.
      await options.clock.sleep(EMPTY_FOR_MS)
      if (isEmpty()) unlink(directory, name)
      return makeWay(name)
    }
    const {verdict, because} = await probe(name)
    if (verdict === 'live') {
      throw new ResourceError('SEGMENT_LIVE', `segment '${name}' belongs to another engine: ${because}`, {
        suggestions: ['set KVCACHED_IPC_NAME to a name of its own'],
      })
    }
    logger.debug(`${name} is replaced: ${because}`)
    unlink(directory, name)
  }

  return {
    directory,
    async list() {
      const seen = await readAll(candidates(directory, files, listed))
      listed = new Set(seen.map(({name}) => name))
      return seen.filter(({record}) => record.limitBytes > 0n)
    },
    async read(given) {
      return read(checkName(directory, given))
    },
    async readQueued(given) {
      const name = checkName(directory, given)
      try {
        return await withSegment(directory, name, 'read', async segment => {
          await libc.flockAsync(segment.fd, 'shared')
          return readRecord(segment)
        })
      } catch (error) {
        if (error instanceof SegmentNotFoundError) return null
        throw error
      }
    },
    async create(given, limitBytes) {
      const name = checkName(directory, given)
      const record = {limitBytes: checkInt64(BigInt(limitBytes)), usedBytes: 0n, preallocBytes: 0n}
      await makeWay(name)
      // Until its 24 bytes are written the file has another size, and no reader takes it for a segment.
      const fd = openSync(`${directory}/${name}`, 'wx', 0o666)
      try {
        writeFully({fd, name}, encodeRecord(record), 0)
        const identity = identityOf(fstatSync(fd, {bigint: true}))
        memories.save(name, rememberMade(identity, record.limitBytes, thisProcess()), null)
      } finally {
        closeSync(fd)
      }
    },
    remove(given) {
      const name = checkName(directory, given)
      closeSync(openSegment(directory, name, 'read-quiet').fd)
      unlink(directory, name)
      // What is remembered of others stays: a living engine re-creates its segment with total 0, and the total is the cure.
      if (memories.load(name)?.creator?.pid === process.pid) memories.forget(name)
    },
    async removeUnchanged({name, identity, record}) {
      return withSegment(directory, name, 'read-quiet', segment => {
        if (!libc.tryFlock(segment.fd, 'exclusive')) return false
        const isSame = isDeepStrictEqual([segment.identity, readRecord(segment)], [identity, record])
        if (isSame) unlink(directory, name)
        if (isSame) memories.forget(name)
        return isSame
      })
    },
    async probe(given, signal) {
      return probe(checkName(directory, given), signal)
    },
    state: look => stateOf(look, LIST_AGE, null),
    publish(given, usedBytes, preallocBytes) {
      const segment = openUnlessGone(directory, checkName(directory, given))
      if (segment === null) return false
      try {
        if (!libc.tryFlock(segment.fd, 'exclusive')) return false
        writeFully(segment, new BigInt64Array([BigInt(usedBytes), BigInt(preallocBytes)]), USED_OFFSET)
        return true
      } finally {
        closeSync(segment.fd)
      }
    },
    writeLimit,
  }
}

/**
 * Watching must not read all of /proc at each look: what it costs grows with the machine. A program that becomes another one,
 * or a dead one that nobody has reaped, is told late by the age of facts.
 */
const LIST_AGE: TableAge = {tableMs: 2000, factsMs: 5000}
/** An engine that makes its segment writes it in less. */
const EMPTY_FOR_MS = 50
/** Many probes end together. */
const PROBE_AGE: TableAge = {tableMs: 50, factsMs: 50}

const LIMIT_OFFSET = 0
const USED_OFFSET = 8

/** Those of the files that could be segments. @param known were segments a moment ago: opening them shows if they still are */
function candidates(directory: string, files: () => readonly string[], known: ReadonlySet<string>): string[] {
  try {
    return files().filter(name => known.has(name) || hasSegmentSize(`${directory}/${name}`))
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return []
    const why = error instanceof Error ? error.message : String(error)
    throw new ResourceError('SEGMENT_FOLDER_UNREADABLE', `cannot look for segments: ${why}`, {cause: error})
  }
}

function hasSegmentSize(path: string): boolean {
  return lstatSync(path, {throwIfNoEntry: false})?.size === RECORD_BYTES
}

/** False when the name was unlinked or given to another file while we waited for the lock. */
function isCurrent(directory: string, {name, identity}: OpenSegment): boolean {
  const stats = lstatSync(`${directory}/${name}`, {bigint: true, throwIfNoEntry: false})
  return stats?.ino === identity.inode && stats.birthtimeNs === identity.birthNs
}

function openUnlessGone(directory: string, name: string): OpenSegment | null {
  try {
    return openSegment(directory, name, 'write')
  } catch (error) {
    if (error instanceof SegmentNotFoundError) return null
    throw error
  }
}

function writeFully(
  {fd, name}: Pick<OpenSegment, 'fd' | 'name'>,
  values: NodeJS.ArrayBufferView,
  offset: number,
): void {
  if (writeSync(fd, values, 0, values.byteLength, offset) === values.byteLength) return
  throw new ResourceError('SEGMENT_WRITE_SHORT', `segment '${name}' was written only in part`)
}

/** The part of a look that comes from memory. */
function recalled(
  memory: StartupMemory,
  {limitBytes}: SegmentRecord,
): Pick<SegmentLook, 'startupBytes' | 'creator' | 'isLimitOurs'> {
  const {startupBytes, creator} = memory
  return {startupBytes, creator, isLimitOurs: isLimitKnown(memory, limitBytes)}
}

function unlink(directory: string, name: string): void {
  const path = `${directory}/${name}`
  try {
    unlinkSync(path)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) throw new SegmentNotFoundError(name, path)
    if (isSystemError(error, 'EACCES', 'EPERM')) throw forbidden(name, 'remove', error)
    throw error
  }
}
