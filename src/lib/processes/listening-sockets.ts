import {readdir, readFile, readlink} from 'node:fs/promises'
import {join} from 'node:path'

/** A TCP socket of this network namespace that accepts connections. */
export interface ListeningSocket {
  /** `0.0.0.0` and `::` stand for every address of the machine. */
  readonly address: string
  readonly port: number
  /** By which a process that has it open is found. */
  readonly inode: string
}

const LISTEN = '0A'

/**
 * Pure: the listening sockets in the text of `/proc/net/tcp` or `tcp6`.
 *
 * @see torvalds/linux:net/ipv4/tcp_ipv4.c — get_tcp4_sock: addresses are words in the byte order of the machine
 */
export function parseTcpTable(text: string): ListeningSocket[] {
  return text.split('\n').flatMap(line => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
    const [words = '', port = ''] = local.split(':')
    return state === LISTEN ? [{address: addressOf(words), port: Number.parseInt(port, 16), inode}] : []
  })
}

function addressOf(words: string): string {
  const bytes = (words.match(/.{8}/g) ?? []).flatMap(word => word.match(/../g)!.reverse())
  if (bytes.length === 4) return bytes.map(byte => Number.parseInt(byte, 16)).join('.')
  const groups = Array.from({length: 8}, (_, at) => `${bytes[2 * at] ?? ''}${bytes[2 * at + 1] ?? ''}`)
  // The form in which addresses are compared here: `::` and `::1` are all that matter, the rest is told in full.
  const text = groups.map(group => Number.parseInt(group, 16).toString(16)).join(':')
  return text === '0:0:0:0:0:0:0:0' ? '::' : text === '0:0:0:0:0:0:0:1' ? '::1' : text
}

/** @param procFolder `/proc`, or where another is mounted */
export async function listeningSockets(procFolder = '/proc'): Promise<ListeningSocket[]> {
  const tables = ['tcp', 'tcp6'].map(name =>
    readFile(join(procFolder, 'self/net', name), 'utf8').catch(() => ''),
  )
  return (await Promise.all(tables)).flatMap(parseTcpTable)
}

/** Inodes of the sockets that a process has open; none where this user may not see, or the process is gone. */
export async function socketInodesOf(pid: number, procFolder = '/proc'): Promise<Set<string>> {
  const folder = join(procFolder, String(pid), 'fd')
  const names = await readdir(folder).catch(() => [])
  const targets = await Promise.all(names.map(name => readlink(join(folder, name)).catch(() => '')))
  return new Set(targets.flatMap(target => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []))
}

/** Ports from here on the system hands out itself: a server that chose its own listens below. */
export async function firstEphemeralPort(procFolder = '/proc'): Promise<number> {
  const range = await readFile(join(procFolder, 'sys/net/ipv4/ip_local_port_range'), 'utf8').catch(() => '')
  const first = Number(range.split(/\s+/)[0])
  return Number.isInteger(first) && first > 0 ? first : 32_768
}
