import {readdirSync} from 'node:fs'
import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'
import {readQuick} from './read-quick.js'

export interface ProcessFamily {
  readonly parentPid: number
  /** That of the shell job, unit or container that started it. */
  readonly groupId: number
}

const AT_ONCE = 64

/**
 * Parent and process group of every process that can be seen, by pid.
 *
 * @see torvalds/linux:Documentation/filesystems/proc.rst — fields 4 and 5 of `stat`
 */
export async function processFamilies(procFolder = '/proc'): Promise<Map<number, ProcessFamily>> {
  const families = new Map<number, ProcessFamily>()
  const pids = processIds(procFolder)
  for (const [at, pid] of pids.entries()) {
    if (at > 0 && at % AT_ONCE === 0) await setImmediate()
    const stat = readQuick(join(procFolder, String(pid), 'stat')) ?? ''
    // The name in parentheses may hold blanks and parentheses; the fields after it begin with the third.
    const [, parentPid, groupId] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    if (Number.isInteger(parentPid) && Number.isInteger(groupId))
      families.set(pid, {parentPid: parentPid!, groupId: groupId!})
  }
  return families
}

function processIds(procFolder: string): number[] {
  try {
    return readdirSync(procFolder).map(Number).filter(Number.isInteger)
  } catch {
    // No /proc at all: then nobody is seen.
    return []
  }
}
