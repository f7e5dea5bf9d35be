import {closeSync, constants, fstatSync, openSync, readSync, type BigIntStats} from 'node:fs'
import {ConfigurationError, isSystemError, ResourceError} from '../foundation/index.js'
import type {FileIdentity} from './lock-table.js'
import {decodeRecord, RECORD_BYTES, type SegmentRecord} from './record.js'

/** Which incarnation of a name this is: tmpfs gives every re-created file a new inode and birth time. */
export interface SegmentIdentity extends FileIdentity {
  readonly birthNs: bigint
}

export interface OpenSegment {
  readonly name: string
  readonly fd: number
  readonly identity: SegmentIdentity
  /** The user the file belongs to. */
  readonly userId: number
}

/** `quiet` leaves the access time alone, which tells engines' readers from ours (see liveness.ts). */
export type Access = 'read' | 'read-quiet' | 'write'

/** No segment of that name; knows the others, so that a door can list them. */
export class SegmentNotFoundError extends ResourceError {
  readonly segment: string
  /** The file that is not there, as kvcached's own error names it. */
  readonly path: string

  constructor(segment: string, path: string) {
    super('SEGMENT_NOT_FOUND', `IPC '${segment}' not found.`)
    this.segment = segment
    this.path = path
  }
}

/**
 * Opens a segment and proves that it is one: a regular file of exactly 24 bytes. Never creates, never follows a symbolic
 * link, never waits on a FIFO.
 *
 * @returns an open descriptor, to be closed by the caller
 * @throws SegmentNotFoundError
 * @throws ResourceError `SEGMENT_FOREIGN` (something else has the name), `SEGMENT_FORBIDDEN`
 */
export function openSegment(directory: string, name: string, access: Access): OpenSegment {
  const fd = openFile(`${directory}/${name}`, name, access)
  try {
    const stats = fstatSync(fd, {bigint: true})
    const why = foreignBecause(stats)
    if (why !== null) throw foreign(name, why)
    return {name, fd, identity: identityOf(stats), userId: Number(stats.uid)}
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Opens, hands over and closes, whatever happens. */
export async function withSegment<T>(
  directory: string,
  name: string,
  access: Access,
  use: (segment: OpenSegment) => T | Promise<T>,
): Promise<T> {
  const segment = openSegment(directory, name, access)
  try {
    return await use(segment)
  } finally {
    closeSync(segment.fd)
  }
}

/** The 24 bytes as they are now; consistent only under a lock. */
export function readRecord({fd, name}: OpenSegment): SegmentRecord {
  const bytes = new Uint8Array(RECORD_BYTES)
  if (readSync(fd, bytes, 0, RECORD_BYTES, 0) < RECORD_BYTES)
    throw foreign(name, 'became shorter than 24 bytes')
  return decodeRecord(bytes)
}

/** @returns why a file is no segment; null if it may be one */
function foreignBecause(stats: BigIntStats): string | null {
  if (!stats.isFile()) return 'is not a regular file'
  if (stats.size !== BigInt(RECORD_BYTES)) return `has ${stats.size} bytes instead of ${RECORD_BYTES}`
  return null
}

export function identityOf(stats: BigIntStats): SegmentIdentity {
  return {device: stats.dev, inode: stats.ino, birthNs: stats.birthtimeNs}
}

const FLAGS: Readonly<Record<Access, number>> = {
  read: constants.O_RDONLY,
  'read-quiet': constants.O_RDONLY | constants.O_NOATIME,
  write: constants.O_RDWR,
}

function openFile(path: string, name: string, access: Access): number {
  try {
    return openSync(path, FLAGS[access] | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    // O_NOATIME is the owner's privilege.
    if (access === 'read-quiet' && isSystemError(error, 'EPERM')) return openFile(path, name, 'read')
    if (isSystemError(error, 'ENOENT')) throw new SegmentNotFoundError(name, path)
    if (isSystemError(error, 'ELOOP')) throw foreign(name, 'is a symbolic link')
    if (isSystemError(error, 'EISDIR', 'ENXIO')) throw foreign(name, 'is not a regular file')
    if (isSystemError(error, 'EACCES', 'EPERM')) {
      throw forbidden(name, access === 'write' ? 'change' : 'read', error)
    }
    throw error
  }
}

export function forbidden(name: string, what: string, cause: unknown): ResourceError {
  return new ResourceError('SEGMENT_FORBIDDEN', `no permission to ${what} segment '${name}'`, {
    cause,
    suggestions: ["run kvctl as the engine's user"],
  })
}

function foreign(name: string, why: string): ResourceError {
  return new ResourceError('SEGMENT_FOREIGN', `'${name}' ${why}, so it is not a segment`)
}

/** @throws ConfigurationError `LIMIT_TOO_LARGE` when a value does not fit the record */
export function checkInt64(bytes: bigint): bigint {
  if (BigInt.asIntN(64, bytes) === bytes) return bytes
  throw new ConfigurationError('LIMIT_TOO_LARGE', `${bytes} bytes do not fit a segment`)
}
