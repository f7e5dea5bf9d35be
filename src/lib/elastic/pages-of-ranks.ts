import {setTimeout as delay} from 'node:timers/promises'
import {ResourceError, type Logger} from '../foundation/index.js'
import type {PageMapper} from '../kvcache/index.js'
import type {KvRanges} from './kv-ranges.js'
import {askRanks, BlockingRanks, type RankAddress} from './ranks/index.js'
import type {Session} from './session.js'

const TENSORS_PATIENCE_MS = 10_000
const TENSORS_POLL_MS = 2

/** A pool whose pages are mapped, and in which processes besides this one. */
export interface MappedPool {
  readonly groupId: number
  readonly numLayers: number
  readonly numKvBuffers: number
  readonly others: readonly RankAddress[]
}

/** Pages of a pool: here where this process has the tensors, and in every other worker. All have them or none. */
export function pagesOfRanks(
  session: Session,
  {groupId, numLayers, numKvBuffers, others}: MappedPool,
  logger: Logger,
): PageMapper {
  const {pageBytes, isContiguous} = session.geometry
  const step = isContiguous ? pageBytes * numLayers * numKvBuffers : pageBytes
  const timeoutMs = session.settings.ipcTimeoutMs
  const ranges = (): KvRanges | undefined => session.groups.get(groupId)?.ranges
  const ask = (cmd: 'map_to_kv_tensors' | 'unmap_from_kv_tensors', offsets: readonly number[]): void => {
    if (others.length === 0) return
    session.ranks ??= new BlockingRanks()
    session.ranks.ask({addresses: others, request: {cmd, offsets, group_id: groupId}, timeoutMs})
  }
  const giveBack = (offsets: readonly number[]): void => {
    ranges()?.unmap(offsets)
    try {
      ask('unmap_from_kv_tensors', offsets)
    } catch (error) {
      // A worker that is gone holds no pages; one that hangs keeps them until they are needed again.
      logger.warn(error instanceof Error ? error.message : String(error))
    }
  }
  return {
    map: ids => {
      const offsets = ids.map(id => id * step)
      ranges()?.map(offsets)
      try {
        ask('map_to_kv_tensors', offsets)
      } catch (error) {
        giveBack(offsets)
        throw error
      }
    },
    unmap: ids => giveBack(ids.map(id => id * step)),
    availablePages: () => ranges()?.availablePages(session.settings.gpuUtilization) ?? Infinity,
  }
}

/**
 * Resolves when the tensors of a group exist here and in every other worker.
 *
 * @param isOpen whether the session still stands
 * @throws ResourceError `KV_TENSORS_MISSING` when they do not within 10 s
 */
export async function awaitTensors(
  session: Session,
  groupId: number,
  others: readonly RankAddress[],
  isOpen: () => boolean,
): Promise<void> {
  const isScheduler = others.length > 0 && !session.listener
  const until = performance.now() + TENSORS_PATIENCE_MS
  let lastFailure: unknown
  while (performance.now() < until && isOpen()) {
    const isHere = isScheduler || session.groups.has(groupId)
    if (isHere && others.length === 0) return
    try {
      const request = {cmd: 'kv_tensors_created' as const, group_id: groupId}
      const answers = isHere ? await askRanks(others, request, TENSORS_PATIENCE_MS) : []
      if (isHere && answers.every(({created}) => created === true)) return
    } catch (error) {
      // Workers start in their own time.
      lastFailure = error
    }
    await delay(TENSORS_POLL_MS)
  }
  throw new ResourceError('KV_TENSORS_MISSING', `no KV tensors of group ${groupId} exist`, {
    cause: lastFailure,
    suggestions: ['call allocKvCache or createKvTensors first, in every worker'],
  })
}
