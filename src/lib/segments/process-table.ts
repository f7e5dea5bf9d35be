import {closeSync, openSync, readdirSync, readlinkSync, readSync} from 'node:fs'
import {sanitizeName} from './segment-name.js'

/** What /proc tells of one living process. Reading it stops nobody. */
export interface ProcessFacts {
  readonly pid: number
  readonly parentPid: number
  /** Its process group as seen from this PID namespace, then from every one nested in it down to its own. */
  readonly groupIds: readonly number[]
  /** At most 15 bytes; Python's setproctitle sets it too. */
  readonly title: string
  /** `KVCACHED_IPC_NAME` as kvcached would use it; null when unset or when the environment is hidden. */
  readonly segmentName: string | null
}

/** The processes that can be seen, and whether that is all of them. */
export interface ProcessTable {
  readonly processes: readonly ProcessFacts[]
  /** False inside a container, or where /proc hides other users' processes. */
  readonly isWholeMachine: boolean
  /** As {@link commandLine}, read once for all who look at this table. */
  readonly commandOf: (pid: number) => string | null
}

/** @see torvalds/linux:include/linux/proc_ns.h — PROC_PID_INIT_INO, the machine's own PID namespace */
const WHOLE_MACHINE = 'pid:[4026531836]'

/**
 * @param proc where procfs is mounted
 * @param before an earlier table: processes that it knows and that still live are taken from it as they were
 */
export function readProcessTable(proc = '/proc', before: ProcessTable | null = null): ProcessTable {
  const known = new Map(before?.processes.map(facts => [facts.pid, facts]))
  const commands = new Map<number, string | null>()
  const commandOf = (pid: number): string | null => {
    let command = commands.get(pid)
    if (command === undefined) {
      command = before !== null && known.has(pid) ? before.commandOf(pid) : commandLine(pid, proc)
      commands.set(pid, command)
    }
    return command
  }
  return {
    commandOf,
    processes: processIds(proc).flatMap(pid => known.get(pid) ?? readProcess(proc, pid) ?? []),
    isWholeMachine:
      before?.isWholeMachine ??
      (pidNamespace(proc) === WHOLE_MACHINE && readSmallFile(`${proc}/1/stat`) !== null),
  }
}

/** The PID namespace this process lives in; null where the kernel does not say. */
export function pidNamespace(proc = '/proc'): string | null {
  try {
    return readlinkSync(`${proc}/self/ns/pid`)
  } catch {
    // Kernels without namespaces, and sandboxes that hide them.
    return null
  }
}

/** What the process was started with, its words joined by spaces; null when it is gone or hidden. */
export function commandLine(pid: number, proc = '/proc'): string | null {
  return readSmallFile(`${proc}/${pid}/cmdline`)?.toString().replaceAll('\0', ' ').trim() || null
}

/** When the process started, in clock ticks since boot: with its pid, an identity. Null when it is gone or a zombie. */
export function startTicks(pid: number | 'self', proc = '/proc'): number | null {
  const stat = readSmallFile(`${proc}/${pid}/stat`)?.toString('latin1') ?? ''
  // The program's name, in parentheses, may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[19])
  return fields[0] === 'Z' || fields[0] === 'X' || !Number.isInteger(ticks) ? null : ticks
}

function processIds(proc: string): number[] {
  try {
    return readdirSync(proc).map(Number).filter(Number.isInteger)
  } catch {
    // No /proc at all: then nobody is seen.
    return []
  }
}

/** @see torvalds/linux:fs/proc/array.c — proc_pid_status */
const [TITLE, PARENT, GROUPS] = [/^Name:\t(.*)$/m, /^PPid:\t(.*)$/m, /^NSpgid:\t(.*)$/m] as const
const HAS_MEMORY = /^VmSize:/m

function readProcess(proc: string, pid: number): ProcessFacts | null {
  const status = readSmallFile(`${proc}/${pid}/status`)?.toString('latin1')
  if (status === undefined || /^State:\t[ZX]/m.test(status)) return null
  const field = (pattern: RegExp): string => pattern.exec(status)?.[1] ?? ''
  return {
    pid,
    parentPid: Number(field(PARENT)),
    groupIds: field(GROUPS).split('\t').filter(Boolean).map(Number),
    title: field(TITLE),
    // Threads of the kernel, most of what runs on many machines, have neither memory nor environment: asking throws.
    segmentName: HAS_MEMORY.test(status) ? segmentNameIn(readSmallFile(`${proc}/${pid}/environ`)) : null,
  }
}

const VARIABLE = Buffer.from('\0KVCACHED_IPC_NAME=')

function segmentNameIn(environment: Buffer | null): string | null {
  if (environment === null) return null
  const isFirst = environment.indexOf(VARIABLE.subarray(1)) === 0
  const at = isFirst ? -1 : environment.indexOf(VARIABLE)
  if (!isFirst && at < 0) return null
  const start = at + VARIABLE.length
  const end = environment.indexOf(0, start)
  return sanitizeName(environment.toString('utf8', start, end < 0 ? undefined : end)) || null
}

const buffer = Buffer.allocUnsafe(256 * 1024)

/** @returns its first 256 KiB, valid until the next call; null when it is gone or not permitted */
function readSmallFile(path: string): Buffer | null {
  try {
    const fd = openSync(path, 'r')
    try {
      return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0))
    } finally {
      closeSync(fd)
    }
  } catch {
    return null
  }
}
