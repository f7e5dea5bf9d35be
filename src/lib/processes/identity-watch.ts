import type {Clock} from '../foundation/index.js'
import {readProcessIdentity, seesHostPids, type ProcessIdentity} from './process-identity.js'

/** Who processes are, for one that asks again and again. */
export interface IdentityWatch {
  /** Those that still live, by pid; null where pids mean nothing here. Who a process is may be `ageMs` old. */
  of(pids: ReadonlySet<number>): Promise<ReadonlyMap<number, ProcessIdentity> | null>
}

/** @param procFolder `/proc`, or where the host's is mounted */
export function createIdentityWatch(
  clock: Pick<Clock, 'nowNs'>,
  procFolder = '/proc',
  ageMs = 0,
): IdentityWatch {
  let areHostPids: Promise<boolean> | null = null
  let known = new Map<number, {readonly identity: ProcessIdentity; readonly readNs: number}>()
  return {
    async of(pids) {
      if (!(await (areHostPids ??= seesHostPids(procFolder)))) return null
      const nowNs = clock.nowNs()
      const found = await Promise.all(
        [...pids].map(async pid => {
          const before = known.get(pid)
          if (before && nowNs - before.readNs < ageMs * 1e6) return [pid, before] as const
          const identity = await readProcessIdentity(pid, procFolder)
          return identity === null ? null : ([pid, {identity, readNs: nowNs}] as const)
        }),
      )
      known = new Map(found.filter(one => one !== null))
      return new Map([...known].map(([pid, {identity}]) => [pid, identity]))
    },
  }
}
