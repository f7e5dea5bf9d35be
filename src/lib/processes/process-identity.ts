import {existsSync} from 'node:fs'
import {readFile, readlink} from 'node:fs/promises'
import {join} from 'node:path'
import {readQuick} from './read-quick.js'
import {originOfCgroup, type ProcessOrigin} from './process-origin.js'

/** Who a process is. */
export interface ProcessIdentity extends ProcessOrigin {
  /** The kernel's name, cut at 15 characters. */
  readonly name: string
  /** The arguments it was started with, or the title it gave itself; null where it has none (kernel threads). */
  readonly command: string | null
  readonly userId: number | null
  /** Clock ticks after the machine's start; with the pid it names one process for ever. */
  readonly startTicks: number
}

/**
 * Reads `/proc/PID`; null when the process is gone.
 *
 * @param procFolder `/proc`, or where the host's is mounted
 * @see torvalds/linux:Documentation/filesystems/proc.rst
 */
export async function readProcessIdentity(
  pid: number,
  procFolder = '/proc',
): Promise<ProcessIdentity | null> {
  const folder = join(procFolder, String(pid))
  // A driver may name the same dead process at each look, and a read that fails costs far more than this question.
  if (!existsSync(folder)) return null
  const cmdline = await readFile(join(folder, 'cmdline'), 'utf8').catch(() => null)
  const [comm, status, stat] = ['comm', 'status', 'stat'].map(file => readQuick(join(folder, file)))
  if (cmdline === null || comm == null || status == null || stat == null) return null
  const command = cmdline.replace(/\0+$/, '').replaceAll('\0', ' ').trim()
  const userId = /^Uid:\s+(\d+)/m.exec(status)?.[1]
  // The name in parentheses may hold blanks and parentheses; the fields after it begin with the third.
  const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  return {
    name: comm.trimEnd(),
    command: command === '' ? null : command,
    userId: userId === undefined ? null : Number(userId),
    startTicks,
    ...originOfCgroup(readQuick(join(folder, 'cgroup')) ?? ''),
  }
}

/** `PROC_PID_INIT_INO` of the kernel: the namespace in which pids are the host's. */
const HOST_PID_NAMESPACE = 'pid:[4026531836]'

/**
 * Whether pids that the host numbers mean the same here. In a container of its own they may name nobody, or somebody else.
 *
 * @see torvalds/linux:include/linux/proc_ns.h — the fixed inode of the first namespace
 */
export async function seesHostPids(procFolder = '/proc'): Promise<boolean> {
  try {
    return (await readlink(join(procFolder, 'self/ns/pid'))) === HOST_PID_NAMESPACE
  } catch {
    return false
  }
}
