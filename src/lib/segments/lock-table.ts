import {readFileSync} from 'node:fs'
import {commandLine} from './process-table.js'

/** Which file a lock is on, as the kernel's table names it. */
export interface FileIdentity {
  /** st_dev */
  readonly device: bigint
  readonly inode: bigint
}

/** One process that holds or awaits a flock lock. */
export interface LockEntry {
  /** Who called flock(2); it may be gone while a child keeps the descriptor. */
  readonly pid: number
  readonly kind: 'shared' | 'exclusive'
  readonly isWaiting: boolean
}

/**
 * The flock locks on a file. Locks of processes outside this PID namespace are not in the table.
 *
 * @returns holders and waiters; none where there is no /proc/locks
 */
export function readLocks(file: FileIdentity): LockEntry[] {
  try {
    return parseLocks(readFileSync('/proc/locks', 'utf8'), file)
  } catch {
    // Without the table nobody can be named; callers treat that as "unknown holder".
    return []
  }
}

/**
 * @param table lines such as `1: -> FLOCK  ADVISORY  READ 4242 00:19:77 0 EOF`
 * @see torvalds/linux:fs/locks.c — lock_get_status: device as hexadecimal major:minor, inode in decimal
 */
export function parseLocks(table: string, file: FileIdentity): LockEntry[] {
  const suffix = `${hex(majorOf(file.device))}:${hex(minorOf(file.device))}:${file.inode}`
  return table.split('\n').flatMap(line => {
    const [, arrow, mode, pid, place] =
      /^\d+: +(-> )?FLOCK +\S+ +(READ|WRITE) +(-?\d+) +(\S+)/.exec(line) ?? []
    if (place !== suffix) return []
    return [
      {
        pid: Number(pid),
        kind: mode === 'READ' ? 'shared' : 'exclusive',
        isWaiting: arrow !== undefined,
      } as const,
    ]
  })
}

/** `pid 42 (flock)`, for messages. */
export function describeHolder(pid: number): string {
  const program = commandLine(pid)?.split(' ')[0]?.split('/').pop()
  return `pid ${pid} (${program ?? 'gone; a child may keep the lock'})`
}

const hex = (value: bigint): string => value.toString(16).padStart(2, '0')

/** glibc's packing of st_dev. */
function majorOf(device: bigint): bigint {
  return ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)
}

function minorOf(device: bigint): bigint {
  return (device & 0xffn) | ((device >> 12n) & 0xffffff00n)
}
