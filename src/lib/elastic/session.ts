import {parseDevice} from '../memory/index.js'
import {defaultSegmentName, processGroupId} from '../segments/index.js'
import type {ElasticKvCacheManager} from './elastic-kv-cache-manager.js'
import {cleanUpOnEnd} from './end-of-process.js'
import type {PoolGeometry} from './kv-layout.js'
import type {KvRanges} from './kv-ranges.js'
import type {KvTensor} from './kv-tensor.js'
import type {ElasticParts, KvDevice} from './parts.js'
import type {BlockingRanks, RankAddress, RankListener} from './ranks/index.js'
import {readKvcachedSettings, type KvcachedSettings} from './settings.js'

/** Which process this is, and where its KV memory shall be. */
export interface InitOptions {
  readonly tpRank?: number
  /** Ranks that share every layer; the seed's `tp_size`, upstream's `world_size`. */
  readonly tpSize?: number
  readonly ppRank?: number
  /** `cpu`, or `cuda:N` as torch has it; kvcached's default is `cuda:0`. */
  readonly device?: string
  /** Taken and told; pages are always given back only after the device has done what it was asked. */
  readonly asyncSched?: boolean
  /** Memory for which addresses are reserved, in place of all that the device has. */
  readonly memoryBytes?: number
}

/** What a process has from `init` to `shutdown`. */
export interface Session {
  readonly settings: KvcachedSettings
  readonly device: KvDevice
  readonly geometry: Pick<PoolGeometry, 'pageBytes' | 'isContiguous' | 'deviceBytes'>
  readonly groups: Map<number, {readonly ranges: KvRanges; readonly tensors: readonly KvTensor[]}>
  readonly managers: Set<ElasticKvCacheManager>
  /** This process's own rank, and how many there are. */
  readonly tpRank: number
  readonly tpSize: number
  readonly ppRank: number
  readonly asyncSched: boolean
  listener: RankListener | null
  /** Made for the first pool whose pages are in other processes. */
  ranks: BlockingRanks | null
  readonly stopCleaning: () => void
}

/** @throws ResourceError without the device; ConfigurationError for a setting or a device's name that is none */
export async function openSession(
  parts: ElasticParts,
  {device: name = 'cuda:0', memoryBytes, ...ranks}: InitOptions,
): Promise<Session> {
  const settings = readKvcachedSettings(parts.environment)
  const device = await parts.openDevice(parseDevice(name))
  const session: Session = {
    settings,
    device,
    geometry: {
      pageBytes: settings.pageBytes,
      isContiguous: settings.isContiguous,
      deviceBytes: memoryBytes ?? device.memoryBytes,
    },
    groups: new Map(),
    managers: new Set(),
    tpRank: ranks.tpRank ?? 0,
    tpSize: ranks.tpSize ?? 1,
    ppRank: ranks.ppRank ?? 0,
    asyncSched: ranks.asyncSched ?? false,
    listener: null,
    ranks: null,
    stopCleaning: cleanUpOnEnd(() => {
      for (const manager of session.managers) manager.removeSync()
      session.listener?.removeSync()
    }),
  }
  return session
}

/** Where a rank of this instance listens. */
export function addressOfRank(
  {environment, temporaryFolder}: ElasticParts,
  {ppRank}: Session,
  rank: number,
): RankAddress {
  return {
    temporaryFolder,
    ipcName: defaultSegmentName(environment, processGroupId),
    rank,
    pipelineRank: ppRank,
  }
}

/** Workers in other processes: every rank but that of this process where it is a worker itself. */
export function otherRanks(parts: ElasticParts, session: Session): RankAddress[] {
  if (session.tpSize === 1 && !session.listener) return []
  return Array.from({length: session.tpSize}, (_, rank) => rank)
    .filter(rank => !session.listener || rank !== session.tpRank)
    .map(rank => addressOfRank(parts, session, rank))
}

/** A second pool of a process has a segment of its own, where kvcached lets all of them write into one. */
export function segmentNameOf({environment}: ElasticParts, groupId: number): string {
  const name = defaultSegmentName(environment, processGroupId)
  return groupId === 0 ? name : `${name}_g${groupId}`
}
