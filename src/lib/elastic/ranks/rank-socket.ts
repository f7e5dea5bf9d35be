import {createHash} from 'node:crypto'
import {join} from 'node:path'
import {ConfigurationError} from '../../foundation/index.js'

/** RFC 4122's name space of host names. */
const DNS_NAMESPACE = Buffer.from('6ba7b8109dad11d180b400c04fd430c8', 'hex')
/** `sockaddr_un.sun_path`, its closing zero included. */
const LONGEST_PATH_BYTES = 107

/** Which worker of which engine. */
export interface RankAddress {
  /** Where temporary files are; kvcached's is /tmp, whatever TMPDIR says. */
  readonly temporaryFolder: string
  readonly ipcName: string
  readonly rank: number
  readonly pipelineRank: number
}

/** The first 8 digits of a version 5 UUID of the name, as Python's `uuid.uuid5(NAMESPACE_DNS, name)`. */
export function nameDigest(ipcName: string): string {
  // The version and variant bits lie behind these digits.
  return createHash('sha1').update(DNS_NAMESPACE).update(ipcName).digest('hex').slice(0, 8)
}

/**
 * The socket of a worker.
 *
 * @throws ConfigurationError `SOCKET_PATH_TOO_LONG`
 * @see ovg-project/kvcached:kvcached/tp_ipc_util.py — the same paths
 */
export function rankSocketPath({temporaryFolder, ipcName, rank, pipelineRank}: RankAddress): string {
  const folder = join(temporaryFolder, `kvcached-tp-${ipcName}-${nameDigest(ipcName)}`)
  const path = join(folder, ...(pipelineRank > 0 ? [`pp${pipelineRank}`] : []), `w${rank}.sock`)
  if (Buffer.byteLength(path) <= LONGEST_PATH_BYTES) return path
  throw new ConfigurationError('SOCKET_PATH_TOO_LONG', `the socket path ${path} is longer than Unix allows`, {
    suggestions: ['set a shorter KVCACHED_IPC_NAME'],
  })
}
