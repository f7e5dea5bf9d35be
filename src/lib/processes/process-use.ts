import {readFile} from 'node:fs/promises'

export interface ProcessUse {
  /** User and system time since its start. */
  readonly cpuSeconds: number
  readonly rssBytes: number
}

/** Linux reports times in hundredths of a second to user space on every platform that Node runs on. */
const TICKS_PER_SECOND = 100

/**
 * What a process of this machine has used so far; null when it is gone.
 *
 * @see torvalds/linux:Documentation/filesystems/proc.rst — fields 14 and 15 of `stat`, VmRSS of `status`
 */
export async function readProcessUse(pid: number): Promise<ProcessUse | null> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ])
    const fields = fieldsOf(stat)
    const [user, system] = [Number(fields[11]), Number(fields[12])]
    const rssKib = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0)
    return {cpuSeconds: (user + system) / TICKS_PER_SECOND, rssBytes: rssKib * 1024}
  } catch {
    return null
  }
}

/**
 * When a process of this machine started, in clock ticks since boot; null when it is gone. With its id it names a process
 * for good, because ids are given again.
 *
 * @see torvalds/linux:Documentation/filesystems/proc.rst — field 22 of `stat`
 */
export async function readStartTicks(pid: number): Promise<number | null> {
  try {
    return Number(fieldsOf(await readFile(`/proc/${pid}/stat`, 'utf8'))[19])
  } catch {
    return null
  }
}

/** The name in parentheses may hold blanks and parentheses; the fields after it begin with the third. */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}
