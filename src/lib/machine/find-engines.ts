import {
  firstEphemeralPort,
  listeningSockets,
  processFamilies,
  socketInodesOf,
  type ListeningSocket,
  type ProcessFamily,
} from '../processes/index.js'

/** An address at which an engine may answer, and who listens there. */
export interface EngineAddress {
  /** Without a trailing slash. */
  readonly url: string
  /** `default` is http://localhost:8000, where vLLM listens unless told otherwise. */
  readonly source: 'configured' | 'default' | 'listening'
  /** The process that listens and those it belongs to, as far as that can be seen from here. */
  readonly pids: readonly number[]
}

export interface EngineSearch {
  /** What the user named; where that is anything, nothing else is asked. */
  readonly configured: readonly string[]
  /** Processes with memory on a GPU, and those that own a segment. */
  readonly pids: readonly number[]
  /** `/proc`, or where the host's is mounted. */
  readonly procFolder: string
}

/** A socket and the processes that have it open. */
interface Server {
  readonly socket: ListeningSocket
  readonly holders: number[]
}

type Families = ReadonlyMap<number, ProcessFamily>

export const DEFAULT_ENGINE_URL = 'http://localhost:8000'
/** Who listens at more ports than this is no inference server. */
const MOST_PORTS = 8

/**
 * Where engines may be: what the user named, else the default address and the ports on which the process groups of GPU
 * processes and of owners of segments listen. Ports that the system hands out by itself are left alone: behind them engines
 * talk among themselves (NCCL, Gloo, ZeroMQ), and a stranger's request could disturb them.
 */
export async function findEngineAddresses(search: EngineSearch): Promise<EngineAddress[]> {
  const {configured, pids, procFolder} = search
  const [families, firstEphemeral] = await Promise.all([
    processFamilies(procFolder),
    firstEphemeralPort(procFolder),
  ])
  const groups = new Set(pids.flatMap(pid => families.get(pid)?.groupId ?? []))
  const members = [...families.keys()].filter(pid => groups.has(families.get(pid)!.groupId))
  const servers = await serversAmong(members, procFolder)
  const pidsBehind = ({holders}: Server): number[] => engineOf(holders, new Set(pids), families)

  const named = configured.length > 0 ? configured : [DEFAULT_ENGINE_URL]
  const source = configured.length > 0 ? 'configured' : 'default'
  const addresses: EngineAddress[] = named.map(text => {
    const url = text.replace(/\/+$/, '')
    const server = servers.find(({socket}) => isAt(new URL(url), socket))
    return {url, source, pids: server ? pidsBehind(server) : []}
  })
  if (configured.length > 0) return addresses
  for (const group of groups) {
    const own = servers.filter(
      ({socket, holders}) => socket.port < firstEphemeral && families.get(holders[0]!)!.groupId === group,
    )
    if (own.length > MOST_PORTS) continue
    for (const server of own) {
      const isKnown = addresses.some(({url}) => isAt(new URL(url), server.socket))
      if (!isKnown) addresses.push({url: urlOf(server.socket), source: 'listening', pids: pidsBehind(server)})
    }
  }
  return addresses
}

async function serversAmong(pids: readonly number[], procFolder: string): Promise<Server[]> {
  if (pids.length === 0) return []
  const sockets = await listeningSockets(procFolder)
  const byInode = new Map(sockets.map(socket => [socket.inode, {socket, holders: [] as number[]}]))
  await Promise.all(
    pids.map(async pid => {
      for (const inode of await socketInodesOf(pid, procFolder)) byInode.get(inode)?.holders.push(pid)
    }),
  )
  return [...byInode.values()].filter(({holders}) => holders.length > 0)
}

/**
 * Pure: the processes of the engine behind a socket. Its cores and workers descend from the API server that listens, or
 * from the parent of several API servers.
 *
 * @param working processes that are at work for some engine
 */
export function engineOf(
  holders: readonly number[],
  working: ReadonlySet<number>,
  families: Families,
): number[] {
  // A socket is inherited: the eldest who has it opened it.
  const eldest = holders.find(pid => !holders.includes(families.get(pid)?.parentPid ?? 0)) ?? holders[0]!
  const own = withDescendants(eldest, families)
  if (own.some(pid => working.has(pid))) return own
  const parent = families.get(eldest)?.parentPid ?? 0
  const isSameGroup = families.get(parent)?.groupId === families.get(eldest)?.groupId
  return isSameGroup ? withDescendants(parent, families) : own
}

function withDescendants(pid: number, families: Families): number[] {
  const found = [pid]
  // Grows while it is walked through: children of children come last.
  for (const ancestor of found) {
    for (const [child, {parentPid}] of families)
      if (parentPid === ancestor && !found.includes(child)) found.push(child)
  }
  return found
}

const WILDCARDS: readonly string[] = ['0.0.0.0', '::']
const LOOPBACKS: readonly string[] = ['127.0.0.1', '::1', 'localhost']

/** Whether a connection to a URL ends at a socket of this machine. */
function isAt({hostname, port, protocol}: URL, socket: ListeningSocket): boolean {
  const wanted = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
  if (wanted !== socket.port) return false
  const host = hostname.replaceAll(/[[\]]/g, '')
  const isLoopback = LOOPBACKS.includes(host) || host.startsWith('127.')
  if (WILDCARDS.includes(socket.address)) return isLoopback
  return host === socket.address || (isLoopback && LOOPBACKS.includes(socket.address))
}

function urlOf({address, port}: ListeningSocket): string {
  const host = WILDCARDS.includes(address) ? '127.0.0.1' : address
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
