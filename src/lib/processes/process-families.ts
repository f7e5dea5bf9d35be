import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

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
  const names = await readdir(procFolder).catch(() => [])
  const pids = names.map(Number).filter(Number.isInteger)
  const families = new Map<number, ProcessFamily>()
  for (let from = 0; from < pids.length; from += AT_ONCE) {
    await Promise.all(
      pids.slice(from, from + AT_ONCE).map(async pid => {
        const stat = await readFile(join(procFolder, String(pid), 'stat'), 'utf8').catch(() => '')
        // The name in parentheses may hold blanks and parentheses; the fields after it begin with the third.
        const [, parentPid, groupId] = stat
          .slice(stat.lastIndexOf(')') + 2)
          .split(' ')
          .map(Number)
        if (Number.isInteger(parentPid) && Number.isInteger(groupId))
          families.set(pid, {parentPid: parentPid!, groupId: groupId!})
      }),
    )
  }
  return families
}
