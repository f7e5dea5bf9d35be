import {readdir} from 'node:fs/promises'
import {listeningSockets, socketInodesOf} from './listening-sockets.js'

/** A TCP port on which somebody listens. */
export interface ListeningPort {
  readonly port: number
  /** Null where the process is another user's, or in another PID namespace. */
  readonly pid: number | null
}

/**
 * Which of `ports` somebody listens on in this network namespace. IPv4 and IPv6 count as one.
 *
 * @param procFolder `/proc`, or where the host's is mounted
 */
export async function whoListens(ports: readonly number[], procFolder = '/proc'): Promise<ListeningPort[]> {
  const sockets = (await listeningSockets(procFolder)).filter(({port}) => ports.includes(port))
  if (sockets.length === 0) return []
  const owners = await socketOwners(new Set(sockets.map(({inode}) => inode)), procFolder)
  return ports
    .filter(port => sockets.some(socket => socket.port === port))
    .map(port => {
      const pids = sockets.filter(socket => socket.port === port).map(({inode}) => owners.get(inode))
      return {port, pid: pids.find(pid => pid !== undefined) ?? null}
    })
}

/** The processes that hold sockets, as far as this user may look into them. */
async function socketOwners(inodes: ReadonlySet<string>, procFolder: string): Promise<Map<string, number>> {
  const owners = new Map<string, number>()
  for (const entry of await readdir(procFolder)) {
    if (owners.size === inodes.size) break
    if (!/^\d+$/.test(entry)) continue
    for (const inode of await socketInodesOf(Number(entry), procFolder))
      if (inodes.has(inode) && !owners.has(inode)) owners.set(inode, Number(entry))
  }
  return owners
}
