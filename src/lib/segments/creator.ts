import {pidNamespace, startTicks} from './process-table.js'

/** Which process made a segment, as kvctl's own engines note it; pids alone come round again. */
export interface Creator {
  readonly pid: number
  /** Clock ticks since boot. */
  readonly startTicks: number
  readonly pidNamespace: string | null
}

/** This process; null where there is no /proc. */
export function thisProcess(): Creator | null {
  const ticks = startTicks('self')
  return ticks === null ? null : {pid: process.pid, startTicks: ticks, pidNamespace: pidNamespace()}
}

/** @returns whether it still runs; null when that cannot be seen, because it lives in another PID namespace */
export function isRunning({pid, startTicks: started, pidNamespace: home}: Creator): boolean | null {
  if (home !== pidNamespace()) return null
  return startTicks(pid) === started
}
