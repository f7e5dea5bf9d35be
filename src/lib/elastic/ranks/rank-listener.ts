import {mkdirSync, rmdirSync, rmSync} from 'node:fs'
import {createServer, type Server, type Socket} from 'node:net'
import {dirname, sep} from 'node:path'
import {ResourceError} from '../../foundation/index.js'
import {frame, FrameReader} from './exchange.js'
import type {Plain} from './pickle.js'
import {rankSocketPath, type RankAddress} from './rank-socket.js'

/** How long a peer may take to say what it wants. */
const PATIENCE_MS = 10_000

/** What a worker does for the process that schedules. */
export interface RankDuties {
  kvTensorsCreated(groupId: number): boolean
  /** @returns false when the tensors do not exist @throws when memory is short */
  mapToKvTensors(offsets: readonly number[], groupId: number): boolean
  unmapFromKvTensors(offsets: readonly number[], groupId: number): boolean
}

export interface RankListener {
  readonly path: string
  /** Ends it; the socket and the folders it was in are gone afterwards. */
  close(): Promise<void>
  /** Removes the socket and empty folders, at once. */
  removeSync(): void
}

/**
 * Answers kvcached's worker protocol: one request and one answer a connection.
 *
 * @throws ResourceError `SOCKET_UNAVAILABLE`
 * @see ovg-project/kvcached:kvcached/tp_ipc_util.py — the same frames, commands and answers; its sockets stay behind, these
 * do not
 */
export async function listenAsRank(address: RankAddress, duties: RankDuties): Promise<RankListener> {
  const path = rankSocketPath(address)
  mkdirSync(dirname(path), {recursive: true, mode: 0o700})
  // One that a worker before left behind.
  rmSync(path, {force: true})
  const sockets = new Set<Socket>()
  const server = createServer({allowHalfOpen: true}, socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(socket, duties)
  })
  await listen(server, path)
  // A program that has nothing else to do may end.
  server.unref()
  const removeSync = (): void => {
    rmSync(path, {force: true})
    removeEmptyFolders(dirname(path), address.temporaryFolder)
  }
  return {
    path,
    removeSync,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
      removeSync()
    },
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', error =>
      reject(
        new ResourceError('SOCKET_UNAVAILABLE', `cannot listen at ${path}: ${error.message}`, {cause: error}),
      ),
    )
    server.listen(path, resolve)
  })
}

function serve(socket: Socket, duties: RankDuties): void {
  const reader = new FrameReader()
  socket.setTimeout(PATIENCE_MS, () => socket.destroy())
  // The peer went away; there is nobody to tell.
  socket.on('error', () => socket.destroy())
  let isAnswered = false
  socket.on('end', () => {
    if (!isAnswered) socket.destroy()
  })
  socket.on('data', chunk => {
    if (isAnswered) return
    try {
      const read = reader.push(chunk)
      isAnswered = read !== null
      if (read) socket.end(frame(answer(read.message, duties)))
    } catch (error) {
      isAnswered = true
      socket.end(frame({status: 'error', message: messageOf(error)}))
    }
  })
}

function answer(request: Plain, duties: RankDuties): Plain {
  const fields =
    typeof request === 'object' && request !== null && !Array.isArray(request)
      ? (request as Readonly<Record<string, Plain>>)
      : {}
  const groupId = Number(fields['group_id'] ?? 0)
  const change = (act: (offsets: readonly number[], groupId: number) => boolean): Plain => {
    const {offsets} = fields
    if (!Array.isArray(offsets) || !offsets.every(offset => Number.isSafeInteger(offset))) {
      return {status: 'error', message: 'offsets must be a list of integers'}
    }
    return act(offsets as number[], groupId)
      ? {status: 'success'}
      : {status: 'error', message: `KV tensors of group ${groupId} are not created`}
  }
  try {
    switch (fields['cmd']) {
      case 'kv_tensors_created':
        return {status: 'success', created: duties.kvTensorsCreated(groupId)}
      case 'map_to_kv_tensors':
        return change((offsets, group) => duties.mapToKvTensors(offsets, group))
      case 'unmap_from_kv_tensors':
        return change((offsets, group) => duties.unmapFromKvTensors(offsets, group))
      default:
        return {status: 'error', message: 'Unknown command'}
    }
  } catch (error) {
    return {status: 'error', message: messageOf(error)}
  }
}

/** Upwards as long as nobody else has anything there. */
function removeEmptyFolders(folder: string, upTo: string): void {
  try {
    for (let at = folder; at.startsWith(upTo + sep); at = dirname(at)) rmdirSync(at)
  } catch {
    // Another worker still has its socket in it.
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
