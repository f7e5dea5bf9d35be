import {connect} from 'node:net'
import {ResourceError} from '../../foundation/index.js'
import {pickle, unpickle, type Plain} from './pickle.js'
import {rankSocketPath, type RankAddress} from './rank-socket.js'

/** Longest message that is read; a page's offset takes up to 6 bytes. */
export const MAX_MESSAGE_BYTES = 16 * 2 ** 20

export type RankCommand = 'kv_tensors_created' | 'map_to_kv_tensors' | 'unmap_from_kv_tensors'

export interface RankRequest {
  readonly cmd: RankCommand
  readonly offsets?: readonly number[]
  readonly group_id: number
}

/** A message behind its length in four bytes, most significant first. */
export function frame(value: Plain): Buffer {
  const body = pickle(value)
  const head = Buffer.alloc(4)
  head.writeUInt32BE(body.length)
  return Buffer.concat([head, body])
}

/** Puts a message together from whatever arrives. */
export class FrameReader {
  #bytes = Buffer.alloc(0)

  /** @returns the message once it is whole, else null @throws RangeError for one that is too long or no pickle */
  push(chunk: Buffer): {readonly message: Plain} | null {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    if (this.#bytes.length < 4) return null
    const length = this.#bytes.readUInt32BE()
    if (length > MAX_MESSAGE_BYTES) throw new RangeError(`a message of ${length} bytes`)
    return this.#bytes.length < 4 + length ? null : {message: unpickle(this.#bytes.subarray(4, 4 + length))}
  }
}

/**
 * Asks workers, all at once.
 *
 * @param timeoutMs Infinity waits for ever
 * @returns their answers in order of rank
 * @throws ResourceError `WORKER_FAILED` that names the rank
 */
export async function askRanks(
  addresses: readonly RankAddress[],
  request: RankRequest,
  timeoutMs: number,
): Promise<Readonly<Record<string, Plain>>[]> {
  // Also after a failure the others are waited for: what comes next must not overtake them.
  const outcomes = await Promise.allSettled(addresses.map(address => askRank(address, request, timeoutMs)))
  return outcomes.map(outcome => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}

async function askRank(
  address: RankAddress,
  request: RankRequest,
  timeoutMs: number,
): Promise<Readonly<Record<string, Plain>>> {
  const path = rankSocketPath(address)
  const failure = (why: string, cause?: unknown): ResourceError =>
    new ResourceError('WORKER_FAILED', `worker ${address.rank} of '${address.ipcName}' ${why}`, {
      cause,
      suggestions: [`look at the worker behind ${path}`],
    })
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const reader = new FrameReader()
    const timer =
      timeoutMs === Infinity
        ? null
        : setTimeout(() => end(failure(`did not answer ${request.cmd} in ${timeoutMs / 1000} s`)), timeoutMs)
    const end = (error: ResourceError | null, answer?: Readonly<Record<string, Plain>>): void => {
      if (timer) clearTimeout(timer)
      socket.destroy()
      if (error) reject(error)
      else resolve(answer!)
    }
    socket.once('error', error => end(failure(`cannot be reached: ${error.message}`, error)))
    socket.once('close', () => end(failure('closed the connection without an answer')))
    socket.on('data', chunk => {
      try {
        const read = reader.push(chunk)
        if (!read) return
        const {message} = read
        const isAnswer = typeof message === 'object' && message !== null && !Array.isArray(message)
        const answer = isAnswer ? (message as Readonly<Record<string, Plain>>) : {}
        if (answer['status'] === 'success') end(null, answer)
        else end(failure(`refused ${request.cmd}: ${JSON.stringify(answer['message'] ?? message)}`))
      } catch (error) {
        end(failure('does not speak the protocol', error))
      }
    })
    socket.end(frame({...request}))
  })
}
