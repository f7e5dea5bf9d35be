import {ConfigurationError, ResourceError} from '../foundation/index.js'
import {KvCacheManager} from '../kvcache/index.js'
import {itemBytesOf, parseDtype, type DType} from './dtype.js'
import {ElasticKvCacheManager} from './elastic-kv-cache-manager.js'
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
import {awaitTensors, pagesOfRanks} from './pages-of-ranks.js'
import type {ElasticParts} from './parts.js'
import type {PoolSnapshot} from './pool-snapshot.js'
import {listenAsRank} from './ranks/index.js'
import {
  addressOfRank,
  openSession,
  otherRanks,
  segmentNameOf,
  type InitOptions,
  type Session,
} from './session.js'
import {UsagePublisher} from './usage-publisher.js'

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
    session.listener = await listenAsRank(addressOfRank(this.#parts, session, session.tpRank), {
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
    const others = otherRanks(this.#parts, session)
    await awaitTensors(session, options.groupId, others, () => this.#session === session)
    const {settings} = session
    const {numBlocks, blockSize, cellSize, numLayers, numKvBuffers: buffers, groupId} = options
    const {pageBytes} = session.geometry
    const blockBytes = blockSize * cellSize
    const publisher = new UsagePublisher(
      {store: await this.#parts.segmentStore(), name: segmentNameOf(this.#parts, groupId)},
      () => undefined,
      error => this.#parts.logger.warn(`segment: ${error instanceof Error ? error.message : String(error)}`),
    )
    const pageCount = Math.floor((numBlocks * blockBytes) / pageBytes)
    const pages = pagesOfRanks(session, {...options, others}, this.#parts.logger)
    const pool = new KvCacheManager(pages, publisher, {
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

  async #init(options: InitOptions): Promise<void> {
    this.#session = await openSession(this.#parts, options)
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

  #opened(): Session {
    if (this.#session) return this.#session
    throw new ResourceError(
      'NOT_INITIALIZED',
      'kvcached is not initialized. Please call initKvcached() first.',
    )
  }
}
