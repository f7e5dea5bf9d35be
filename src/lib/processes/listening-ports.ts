import {readdir, readFile, readlink} from 'node:fs/promises'
import {join} from 'node:path'

/** A TCP port on which somebody listens. */
export interface ListeningPort {
  readonly port: number
  /** Null where the process is another user's, or in another PID namespace. */
  readonly pid: number | null
}

/** `TCP_LISTEN` */
const LISTEN = '0A'

/**
 * Pure: the ports in LISTEN of `/proc/net/tcp` or `tcp6`, with the inodes of their sockets.
 *
 * @see torvalds/linux:Documentation/networking/proc_net_tcp.rst
 */
export function listeningSockets(table: string): {readonly port: number; readonly inode: string}[] {
  return table
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === LISTEN)
    .map(fields => ({port: parseInt(fields[1]!.split(':')[1]!, 16), inode: fields[9]!}))
}

/**
 * Which of `ports` somebody listens on in this network namespace. IPv4 and IPv6 count as one.
 *
 * @param procFolder `/proc`, or where the host's is mounted
 */
export async function whoListens(ports: readonly number[], procFolder = '/proc'): Promise<ListeningPort[]> {
  const read = async (name: string): Promise<string> =>
    readFile(join(procFolder, 'net', name), 'utf8').catch(() => '')
  const sockets = [await read('tcp'), await read('tcp6')]
    .flatMap(listeningSockets)
    .filter(({port}) => ports.includes(port))
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
    const folder = join(procFolder, entry, 'fd')
    for (const fd of await readdir(folder).catch(() => [])) {
      const target = await readlink(join(folder, fd)).catch(() => '')
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
      if (inode !== undefined && inodes.has(inode) && !owners.has(inode)) owners.set(inode, Number(entry))
    }
  }
  return owners
}
