import {setTimeout as delay} from 'node:timers/promises'
import {ConfigurationError, ResourceError} from '../foundation/index.js'
import {KvCacheManager, type PageMapper} from '../kvcache/index.js'
import {parseDevice} from '../memory/index.js'
import {defaultSegmentName, processGroupId} from '../segments/index.js'
import {itemBytesOf, parseDtype, type DType} from './dtype.js'
import {ElasticKvCacheManager} from './elastic-kv-cache-manager.js'
import {cleanUpOnEnd} from './end-of-process.js'
import type {PoolGeometry} from './kv-layout.js'
import {KvRanges} from './kv-ranges.js'
import {KvTensor} from './kv-tensor.js'
import {
  instanceState,
  judgeRevision,
  splitLimit,
  type InstanceLimitState,
  type MemoryLimitState,
} from './memory-limit.js'
import {askRanks, BlockingRanks, listenAsRank, type RankAddress, type RankListener} from './ranks/index.js'
import type {ElasticParts, KvDevice} from './parts.js'
import type {PoolSnapshot} from './pool-snapshot.js'
import {readKvcachedSettings, type KvcachedSettings} from './settings.js'
import {UsagePublisher} from './usage-publisher.js'

const TENSORS_PATIENCE_MS = 10_000
const TENSORS_POLL_MS = 2

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

export interface ManagerOptions {
  readonly integration: 'vllm' | 'sglang'
  readonly numBlocks: number
  readonly blockSize: number
  /** Bytes of a token in one buffer of one layer. */
  readonly cellSize: number
  readonly numLayers: number
  readonly numKvBuffers: number
  readonly groupId: number
  readonly poolName: string | null
  readonly reservesNullBlock: boolean
}

interface Session {
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

/** What the runtime snapshot of kvcached's observability says, key by key. */
export interface RuntimeSnapshot {
  readonly schema_version: 'kvcached.observability.v1'
  readonly engine: 'vllm' | 'sglang'
  readonly initialized: boolean
  readonly device: string | null
  readonly world_size: number
  readonly pp_rank: number
  readonly async_sched: boolean
  /** Null before it is initialised. */
  readonly contiguous_layout: boolean | null
  /** Null for SGLang, which knows no workers. */
  readonly is_worker: boolean | null
}

/**
 * One process's KV memory, as kvcached's C++ library keeps it: a device, groups of tensors on it, and the pools that hand
 * their blocks out.
 */
export class Kvcached {
  readonly #parts: ElasticParts
  #session: Session | null = null
  #starting: Promise<void> | null = null

  constructor(parts: ElasticParts) {
    this.#parts = parts
  }

  /**
   * Does nothing more when it is initialised already, but that the process may become a worker.
   *
   * @param isWorker listens for the process that schedules
   * @throws ResourceError without the device, or `SOCKET_UNAVAILABLE`; ConfigurationError
   */
  async init(options: InitOptions, isWorker: boolean): Promise<void> {
    this.#starting ??= this.#init(options).catch((error: unknown) => {
      this.#starting = null
      throw error
    })
    await this.#starting
    const session = this.#opened()
    if (!isWorker || session.listener) return
    session.listener = await listenAsRank(this.#addressOf(session, session.tpRank), {
      kvTensorsCreated: groupId => this.kvTensorsCreated(groupId),
      mapToKvTensors: (offsets, groupId) => this.mapToKvTensors(offsets, groupId),
      unmapFromKvTensors: (offsets, groupId) => this.unmapFromKvTensors(offsets, groupId),
    })
  }

  /** Gives all memory and every segment back; tensors cannot be read any more. Does nothing when nothing is initialised. */
  async shutdown(): Promise<void> {
    await this.#starting?.catch(() => undefined)
    const session = this.#session
    if (!session) return
    this.#starting = null
    session.stopCleaning()
    for (const manager of [...session.managers]) await manager.close()
    await session.listener?.close()
    await session.ranks?.close()
    this.#session = null
    for (const {ranges} of session.groups.values()) ranges.release()
  }

  /**
   * Addresses for a group of tensors, without memory.
   *
   * @param layerBytes of one layer, K and V together
   * @returns flat tensors: one in the contiguous layout, else one a layer
   */
  createKvTensors(
    layerBytes: number,
    dtype: DType,
    device: string | null,
    numLayers: number,
    numKvBuffers: number,
    groupId: number,
    isUnified: boolean,
  ): readonly KvTensor[] {
    const session = this.#opened()
    this.checkDevice(device)
    if (session.groups.has(groupId)) {
      throw new ConfigurationError('KV_GROUP_EXISTS', `the KV tensors of group ${groupId} exist already`)
    }
    const {pageBytes, isContiguous} = session.geometry
    const ranges = new KvRanges(
      {layerBytes, numLayers, buffers: numKvBuffers, pageBytes, isContiguous, isUnified},
      session.device.reserve,
    )
    const tensors = ranges.ranges.map(range => {
      const elements = (range.pageBytes * range.pageCount) / itemBytesOf(dtype)
      return new KvTensor(range, dtype, session.device.name, {byteOffset: 0, shape: [elements], strides: [1]})
    })
    session.groups.set(groupId, {ranges, tensors})
    return tensors
  }

  kvTensorsCreated(groupId: number): boolean {
    return this.#session?.groups.has(groupId) ?? false
  }

  /** @returns false when the group's tensors do not exist */
  mapToKvTensors(offsets: readonly number[], groupId: number): boolean {
    const group = this.#opened().groups.get(groupId)
    group?.ranges.map(offsets)
    return group !== undefined
  }

  /** @returns false when the group's tensors do not exist */
  unmapFromKvTensors(offsets: readonly number[], groupId: number): boolean {
    const group = this.#opened().groups.get(groupId)
    group?.ranges.unmap(offsets)
    return group !== undefined
  }

  /** Byte offset of a page id, as {@link mapToKvTensors} wants it. */
  offsetOfPage(pageId: number, groupId: number): number {
    return this.#groupOf(groupId).ranges.offsetOf(pageId)
  }

  /** What fixes the layout of a pool of this dtype. @throws ResourceError `NOT_INITIALIZED` */
  geometryFor(numLayers: number, dtypeName: string): {dtype: DType; geometry: PoolGeometry} {
    const {geometry} = this.#opened()
    const dtype = parseDtype(dtypeName)
    return {dtype, geometry: {...geometry, numLayers, itemBytes: itemBytesOf(dtype)}}
  }

  /** Ranges of a group that exists. */
  rangesOf(groupId: number): KvRanges {
    return this.#groupOf(groupId).ranges
  }

  /** Flat tensors of a group. @throws ResourceError `KV_TENSORS_MISSING` */
  flatTensorsOf(groupId: number): readonly KvTensor[] {
    return this.#groupOf(groupId).tensors
  }

  /** @throws ResourceError `NOT_INITIALIZED`; ConfigurationError when it is another device than that of `init` */
  checkDevice(name: string | null): string {
    const {device} = this.#opened()
    if (name === null || name === device.name || (name === 'cuda' && device.name.startsWith('cuda:')))
      return device.name
    throw new ConfigurationError(
      'DEVICE_INVALID',
      `kvcached was initialised on ${device.name}, not on ${name}`,
    )
  }

  /**
   * A pool over the tensors of a group, once they exist, and its segment.
   *
   * @throws ResourceError `KV_TENSORS_MISSING` when they do not within 10 s, or as `SegmentStore.create`
   */
  async manager(options: ManagerOptions): Promise<ElasticKvCacheManager> {
    const session = this.#opened()
    const others = this.#otherRanks(session)
    await this.#awaitTensors(session, options.groupId, others)
    const {settings} = session
    const {numBlocks, blockSize, cellSize, numLayers, numKvBuffers: buffers, groupId} = options
    const {pageBytes} = session.geometry
    const blockBytes = blockSize * cellSize
    const publisher = new UsagePublisher(
      {store: await this.#parts.segmentStore(), name: this.#segmentName(groupId)},
      () => undefined,
      error => this.#parts.logger.warn(`segment: ${error instanceof Error ? error.message : String(error)}`),
    )
    const pageCount = Math.floor((numBlocks * blockBytes) / pageBytes)
    const pool = new KvCacheManager(this.#mapper(session, options, others), publisher, {
      ...{numBlocks, blockBytes, pageBytes, numLayers, buffersPerLayer: buffers},
      reservesNullBlock: options.reservesNullBlock,
      minReservedPages: settings.preallocates ? Math.min(settings.minReservedPages, pageCount) : 0,
      maxReservedPages: Math.min(settings.maxReservedPages, pageCount),
      defersUnmapping: false,
    })
    try {
      await publisher.open(pool.startupBytes)
    } catch (error) {
      pool.vacate()
      throw error
    }
    const {integration, reservesNullBlock} = options
    const poolName = options.poolName ?? (integration === 'vllm' ? 'block_pool' : 'mha')
    const manager: ElasticKvCacheManager = new ElasticKvCacheManager(
      pool,
      publisher,
      {
        integration,
        poolName,
        groupId,
        numBlocks,
        blockBytes,
        pageBytes,
        numLayers,
        buffers,
        reservesNullBlock,
      },
      () => session.managers.delete(manager),
    )
    session.managers.add(manager)
    return manager
  }

  observabilitySnapshot(engine: 'vllm' | 'sglang'): RuntimeSnapshot {
    const session = this.#session
    return {
      schema_version: 'kvcached.observability.v1',
      engine,
      initialized: session !== null,
      device: session?.device.name ?? null,
      world_size: session?.tpSize ?? 1,
      pp_rank: session?.ppRank ?? 0,
      async_sched: session?.asyncSched ?? false,
      contiguous_layout: session?.geometry.isContiguous ?? null,
      is_worker: engine === 'vllm' ? Boolean(session?.listener) : null,
    }
  }

  /** By pool and group. */
  poolSnapshots(engine: 'vllm' | 'sglang'): PoolSnapshot[] {
    return this.#managers()
      .filter(({integration}) => integration === engine)
      .map(manager => manager.observabilitySnapshot())
  }

  /**
   * One limit over all pools of this process, split by what they have at most.
   *
   * @throws as `ElasticKvCacheManager.setMemoryLimit`
   * @see ovg-project/kvcached:kvcached/control.py — set_instance_memory_limit
   */
  async setInstanceMemoryLimit(limitBytes: number, revision: number): Promise<InstanceLimitState> {
    const asked = {limitBytes, revision}
    judgeRevision(null, asked)
    const managers = this.#managers()
    const shares = splitLimit(
      limitBytes,
      managers.map(({capacityBytes}) => capacityBytes),
    )
    const states: MemoryLimitState[] = []
    for (const [index, manager] of managers.entries()) {
      states.push(await manager.setMemoryLimit(shares[index]!, {revision}))
    }
    return instanceState(asked, states)
  }

  async #init({device: name = 'cuda:0', memoryBytes, ...ranks}: InitOptions): Promise<void> {
    const settings = readKvcachedSettings(this.#parts.environment)
    const device = await this.#parts.openDevice(parseDevice(name))
    const managers = new Set<ElasticKvCacheManager>()
    this.#session = {
      settings,
      device,
      geometry: {
        pageBytes: settings.pageBytes,
        isContiguous: settings.isContiguous,
        deviceBytes: memoryBytes ?? device.memoryBytes,
      },
      groups: new Map(),
      managers,
      tpRank: ranks.tpRank ?? 0,
      tpSize: ranks.tpSize ?? 1,
      ppRank: ranks.ppRank ?? 0,
      asyncSched: ranks.asyncSched ?? false,
      listener: null,
      ranks: null,
      stopCleaning: cleanUpOnEnd(() => {
        for (const manager of managers) manager.removeSync()
        this.#session?.listener?.removeSync()
      }),
    }
  }

  #groupOf(groupId: number): {readonly ranges: KvRanges; readonly tensors: readonly KvTensor[]} {
    const group = this.#opened().groups.get(groupId)
    if (group) return group
    throw new ResourceError('KV_TENSORS_MISSING', `no KV tensors of group ${groupId} exist`)
  }

  #managers(): ElasticKvCacheManager[] {
    return [...(this.#session?.managers ?? [])].sort(
      (a, b) => a.poolName.localeCompare(b.poolName) || a.groupId - b.groupId,
    )
  }

  #addressOf({ppRank}: Session, rank: number): RankAddress {
    const {environment, temporaryFolder} = this.#parts
    return {
      temporaryFolder,
      ipcName: defaultSegmentName(environment, processGroupId),
      rank,
      pipelineRank: ppRank,
    }
  }

  /** Workers in other processes: every rank but that of this process where it is a worker itself. */
  #otherRanks(session: Session): RankAddress[] {
    if (session.tpSize === 1 && !session.listener) return []
    return Array.from({length: session.tpSize}, (_, rank) => rank)
      .filter(rank => !session.listener || rank !== session.tpRank)
      .map(rank => this.#addressOf(session, rank))
  }

  /** Pages of a pool: here where this process has the tensors, and in every other worker. All have them or none. */
  #mapper(
    session: Session,
    {groupId, numLayers, numKvBuffers}: ManagerOptions,
    others: readonly RankAddress[],
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
        this.#parts.logger.warn(error instanceof Error ? error.message : String(error))
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

  async #awaitTensors(session: Session, groupId: number, others: readonly RankAddress[]): Promise<void> {
    const isScheduler = others.length > 0 && !session.listener
    const until = performance.now() + TENSORS_PATIENCE_MS
    let lastFailure: unknown
    while (performance.now() < until && this.#session === session) {
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

  /** A second pool of a process has a segment of its own, where kvcached lets all of them write into one. */
  #segmentName(groupId: number): string {
    const name = defaultSegmentName(this.#parts.environment, processGroupId)
    return groupId === 0 ? name : `${name}_g${groupId}`
  }

  #opened(): Session {
    if (this.#session) return this.#session
    throw new ResourceError(
      'NOT_INITIALIZED',
      'kvcached is not initialized. Please call initKvcached() first.',
    )
  }
}
