import {formatSize} from '../foundation/index.js'
import type {OwnedLook, PruneFinding} from '../segments/index.js'
import {fail, ok, skipped, warn, type Check} from './check.js'

/** The folder of segments as a file system. */
export interface SharedMemory {
  readonly folder: string
  /** Null when the folder cannot be read; `problem` says why. */
  readonly totalBytes: number | null
  readonly freeBytes: number | null
  readonly isWritable: boolean
  readonly problem: string | null
}

const MIB = 2 ** 20
/** What Docker gives a container that asks for nothing. */
const DOCKER_BYTES = 64 * MIB

/** Pure: room and rights in `/dev/shm`. */
export function judgeSharedMemory({folder, totalBytes, freeBytes, isWritable, problem}: SharedMemory): Check {
  const name = 'shared-memory'
  if (totalBytes === null || freeBytes === null)
    return fail(
      name,
      `${folder} cannot be read: ${problem}`,
      `mount -t tmpfs tmpfs ${folder}, or KVCTL_SHM_DIR for another folder`,
    )
  const room = `${folder} has ${formatSize(freeBytes)} free of ${formatSize(totalBytes)}`
  if (!isWritable)
    return fail(
      name,
      `${room}, and this user may not write there: engines cannot publish segments`,
      `sudo chmod 1777 ${folder}, or mount it writable`,
    )
  if (freeBytes < MIB) return fail(name, room, `remove what is left behind: ls -l ${folder}; kvctl prune`)
  if (totalBytes <= DOCKER_BYTES)
    return warn(
      name,
      `${room}: too little for engines that run on several GPUs`,
      'docker run --ipc=host or --shm-size=8g; in a pod, an emptyDir with medium: Memory at /dev/shm',
    )
  if (freeBytes < totalBytes / 20)
    return warn(name, `${room}, which is nearly full`, `ls -lS ${folder}; kvctl prune`)
  return ok(name, room)
}

/** Pure: kvcached's segments, those without an engine, and those that are odd. */
export function judgeSegments(looks: readonly OwnedLook[], findings: readonly PruneFinding[]): Check {
  const name = 'segments'
  if (looks.length === 0) return skipped(name, 'there is no kvcached segment: no engine publishes one here')
  const stale = findings.filter(({verdict}) => verdict === 'stale').map(finding => finding.name)
  const count = `${looks.length} ${looks.length === 1 ? 'segment' : 'segments'}`
  if (stale.length > 0) return warn(name, `${count}, of which nobody uses ${stale.join(', ')}`, 'kvctl prune')
  const odd = looks.flatMap(look => look.state.warnings.map(({message}) => `${look.name}: ${message}`))
  if (odd.length > 0) return warn(name, `${count}; ${odd.join('; ')}`, 'kvctl list --wide')
  return ok(name, `${count}: ${looks.map(look => look.name).join(', ')}`)
}
