import {ConfigurationError, ResourceError} from '../foundation/index.js'
import {parseDtype} from './dtype.js'
import type {ElasticKvCacheManager} from './elastic-kv-cache-manager.js'
import type {KvRanges} from './kv-ranges.js'
import type {PoolSnapshot} from './pool-snapshot.js'
import {checkAttention, sglangLayout, vllmLayout, type AttentionType, type StridedView} from './kv-layout.js'
import type {KvTensor as Tensor} from './kv-tensor.js'
import {KvTensor} from './kv-tensor.js'
import {Kvcached, type RuntimeSnapshot} from './kvcached.js'
import {mambaLayout} from './mamba-layout.js'
import type {InstanceLimitState} from './memory-limit.js'
import type {ElasticParts} from './parts.js'
import type {InitOptions} from './session.js'

/** The same for vLLM, which has workers. */
export interface VllmInitOptions extends InitOptions {
  /**
   * Listens at this rank's socket for the process that schedules. Where several ranks share every layer, a pool's pages
   * come and go in all of them; a process that is no worker then keeps none itself.
   */
  readonly isWorker?: boolean
}

/** A manager's optional settings; kvcached's own defaults. */
export interface PoolOptions {
  /** 2, or 1 for MLA and for hybrid models, whose K and V are one buffer. */
  readonly numKvBuffers?: number
  readonly groupId?: number
  readonly poolName?: string
}

/** What else kvcached tells of the memory under a KV cache; `raw_info` and `meta` of its `alloc_kv_cache`. */
export interface KvCacheInfo {
  /** Flat, over all of it: one in the contiguous layout, else one a layer. */
  readonly buffers: readonly Tensor[]
  readonly numBlocks: number
  /** K and V of one block in one layer. */
  readonly pageSizeBytes: number
  /** From a block of a layer to its next one. */
  readonly blockStrideBytes: number
  readonly numPools: number
  readonly isContiguous: boolean
}

/** Shapes and element types of mamba states, as the `cache_params` of SGLang. */
export interface MambaCacheParams {
  readonly shape: {readonly conv: readonly (readonly number[])[]; readonly temporal: readonly number[]}
  readonly dtype: {readonly conv: string; readonly temporal: string}
}

/** Tensors over mamba states, and how these lie in memory. */
export interface MambaStates {
  /** By convolution, then by layer; each of shape (slots, …), in both layouts. */
  readonly convState: readonly (readonly Tensor[])[]
  /** By layer. */
  readonly temporalState: readonly Tensor[]
  readonly info: {
    /** Of a slot in a layer: the `cellSize` for `getKvCacheManager`, with blocks of 1 token and 1 buffer. */
    readonly cellSize: number
    readonly numSlots: number
    readonly numMambaLayers: number
    readonly convOffsets: readonly number[]
    readonly temporalOffset: number
    readonly isContiguous: boolean
  }
}

/** @see ovg-project/kvcached:kvcached/integration/vllm/interfaces.py — the same functions */
export interface VllmInterfaces {
  /** Where KV memory shall be. Calling it again does nothing. @throws ResourceError, ConfigurationError */
  initKvcached(options?: VllmInitOptions): Promise<void>
  /**
   * Addresses for a KV cache and a tensor of every layer over them, with room for as many blocks as the device has memory
   * for; the dimension of blocks is replaced by that number. Memory comes with blocks that a manager hands out.
   *
   * @param kvcacheShape (2, blocks, tokens, heads, size), (blocks, 2, tokens, heads, size), or for MLA (blocks, tokens, size)
   * @param kvLayout NHD
   * @param kernelBlockSize tokens that a kernel takes for a block, a divisor of `blockSize`
   * @throws ConfigurationError `ATTENTION_UNSUPPORTED`, `KV_LAYOUT_UNSUPPORTED`, `KV_SHAPE_UNSUPPORTED`, `KV_BLOCK_TOO_LARGE`
   * @throws ResourceError `NOT_INITIALIZED`
   */
  allocKvCache(
    kvcacheShape: readonly number[],
    blockSize: number,
    dtype: string,
    device: string,
    numLayers: number,
    attentionType?: string,
    kvLayout?: string,
    groupId?: number,
    kernelBlockSize?: number,
  ): Tensor[]
  /** Of the tensors that `allocKvCache` made for a group. @throws ResourceError `KV_TENSORS_MISSING` */
  kvCacheInfo(groupId?: number): KvCacheInfo
  /**
   * A pool of blocks over such tensors, whose block 0 is never handed out, and its segment in /dev/shm.
   *
   * @param cellSize bytes of a token in one buffer of one layer
   * @throws ResourceError `SEGMENT_LIVE` when another engine uses the name
   */
  getKvCacheManager(
    numBlocks: number,
    blockSize: number,
    cellSize: number,
    numLayers: number,
    options?: PoolOptions,
  ): Promise<ElasticKvCacheManager>
  /** Gives all memory and every segment back. Tensors throw from then on. */
  shutdownKvcached(): Promise<void>
  /** This process's state, key by key as kvcached tells it. */
  observabilitySnapshot(): RuntimeSnapshot
  /** Of every pool that was made here, by name and group. */
  kvCachePoolSnapshots(): PoolSnapshot[]
  /**
   * One limit over all pools of the process, split by their size, in the order of its revisions: repeating one is harmless.
   *
   * @param limitBytes whole number, 0 or more @throws RangeError, ResourceError
   */
  setInstanceMemoryLimit(limitBytes: number, order: {readonly revision: number}): Promise<InstanceLimitState>
}

/** @see ovg-project/kvcached:kvcached/integration/sglang/interfaces.py — the same functions */
export interface SglangInterfaces extends Pick<
  VllmInterfaces,
  'kvCachePoolSnapshots' | 'observabilitySnapshot' | 'setInstanceMemoryLimit' | 'shutdownKvcached'
> {
  /** `isWorker` is taken and says nothing, as in kvcached's documentation. */
  initKvcached(options?: VllmInitOptions): Promise<void>
  /**
   * As vLLM's, by tokens: the first dimension is replaced.
   *
   * @param kvcacheShape (tokens, heads, size)
   * @param pageSize tokens of what SGLang calls a page and the manager a block
   * @returns K and V of every layer; `vTensors` is empty for MLA, where one buffer holds both
   * @throws as `VllmInterfaces.allocKvCache`
   */
  allocKvCache(
    kvcacheShape: readonly number[],
    dtype: string,
    device: string,
    numLayers: number,
    pageSize?: number,
    attentionType?: string,
    kvLayout?: string,
    groupId?: number,
  ): {readonly kTensors: Tensor[]; readonly vTensors: Tensor[]}
  /**
   * Addresses for the states of mamba layers; a slot is a block of a manager over them. kvcached's contiguous layout has one
   * tensor over all layers; here it is one a layer in both layouts.
   *
   * @throws ConfigurationError `KV_BLOCK_TOO_LARGE`, `DTYPE_UNSUPPORTED`, `DEVICE_INVALID`
   */
  allocMambaStates(options: {
    readonly numSlots: number
    readonly numMambaLayers: number
    readonly cacheParams: MambaCacheParams
    readonly device: string
    readonly groupId?: number
  }): MambaStates
  /** As vLLM's. @param options `reservesNullBlock` is true unless said otherwise */
  getKvCacheManager(
    numBlocks: number,
    blockSize: number,
    cellSize: number,
    numLayers: number,
    options?: PoolOptions & {readonly reservesNullBlock?: boolean},
  ): Promise<ElasticKvCacheManager>
}

/** @see ovg-project/kvcached:csrc/torch_bindings.cpp — the same functions */
export interface VmmOps {
  /**
   * Addresses without memory, as flat tensors: one in the contiguous layout, else one a layer.
   *
   * @param memSizePerLayer bytes, K and V together @param dtypeSize bytes of an element: 1, 2, 4 or 8
   */
  readonly createKvTensors: (
    memSizePerLayer: number,
    dtypeSize: number,
    device: string,
    numLayers: number,
    numKvBuffers?: number,
    groupId?: number,
    unifiedPool?: boolean,
  ) => readonly Tensor[]
  /** Whether a group has tensors. */
  readonly kvTensorsCreated: (groupId?: number) => boolean
  /**
   * Gives pages memory. With a list as second argument, as kvcached's documentation has it, the first holds page ids.
   *
   * @param offsets in bytes; page id p is at p·P·L·B in the contiguous layout, else at p·P
   * @returns false when the tensors do not exist
   */
  readonly mapToKvTensors: (
    offsets: readonly number[],
    groupIdOrBlockIds?: number | readonly number[],
  ) => boolean
  /** The reverse, whose bytes are lost. */
  readonly unmapFromKvTensors: (
    offsets: readonly number[],
    groupIdOrBlockIds?: number | readonly number[],
  ) => boolean
}

const DTYPE_OF_SIZE: Readonly<Record<number, string>> = {1: 'uint8', 2: 'float16', 4: 'float32', 8: 'float64'}

/** kvcached's library, both shapes and what lies under them, over one state. */
export function createKvcached(parts: ElasticParts): {
  readonly vllm: VllmInterfaces
  readonly sglang: SglangInterfaces
  readonly vmmOps: VmmOps
} {
  const kvcached = new Kvcached(parts)
  const tensors = (
    groupId: number,
    dtypeName: string,
    device: string,
    views: readonly StridedView[],
  ): Tensor[] => {
    const {ranges} = kvcached.rangesOf(groupId)
    const dtype = parseDtype(dtypeName)
    return views.map(({range, ...view}) => new KvTensor(ranges[range]!, dtype, device, view))
  }
  const warnOfBlocks = (asked: number, available: number, what: string): void => {
    if (asked > available)
      parts.logger.warn(`Requested ${asked} ${what}, but only ${available} ${what} are available.`)
  }
  const shared = (engine: 'vllm' | 'sglang') => ({
    shutdownKvcached: async () => kvcached.shutdown(),
    observabilitySnapshot: () => kvcached.observabilitySnapshot(engine),
    kvCachePoolSnapshots: () => kvcached.poolSnapshots(engine),
    setInstanceMemoryLimit: async (limitBytes: number, {revision}: {readonly revision: number}) =>
      kvcached.setInstanceMemoryLimit(limitBytes, revision),
  })
  // Of the memory that is described, and gone with it.
  const infos = new WeakMap<KvRanges, Omit<KvCacheInfo, 'buffers'>>()

  const vllm: VllmInterfaces = {
    ...shared('vllm'),
    initKvcached: (options = {}) => kvcached.init(options, options.isWorker ?? false),
    allocKvCache(
      shape,
      blockSize,
      dtypeName,
      device,
      numLayers,
      attentionName = 'MHA',
      kvLayout = 'NHD',
      groupId = 0,
      kernelBlockSize = blockSize,
    ) {
      const {dtype, geometry} = kvcached.geometryFor(numLayers, dtypeName)
      const deviceName = kvcached.checkDevice(device)
      const attentionType = checkAttention(attentionName, kvLayout)
      const layout = vllmLayout({shape, blockSize, attentionType, kernelBlockSize}, geometry)
      warnOfBlocks(shape[attentionType !== 'MLA' && shape[0] === 2 ? 1 : 0]!, layout.numBlocks, 'blocks')
      const isUnified = attentionType === 'HYBRID_LINEAR'
      const buffers = isUnified ? 1 : layout.buffers
      kvcached.createKvTensors(
        ...([layout.bufferBytes * layout.buffers, dtype, deviceName, numLayers, buffers, groupId] as const),
        isUnified,
      )
      const pageSizeBytes = layout.blockBytes * layout.buffers
      const blockBytes = isUnified ? pageSizeBytes : layout.blockBytes
      infos.set(kvcached.rangesOf(groupId), {
        numBlocks: layout.numBlocks,
        pageSizeBytes,
        blockStrideBytes: geometry.isContiguous ? pageSizeBytes * numLayers : blockBytes,
        numPools: numLayers,
        isContiguous: geometry.isContiguous,
      })
      return tensors(groupId, dtypeName, deviceName, layout.views)
    },
    kvCacheInfo(groupId = 0) {
      const buffers = kvcached.flatTensorsOf(groupId)
      const info = infos.get(kvcached.rangesOf(groupId))
      if (info) return {buffers, ...info}
      throw new ResourceError('KV_TENSORS_MISSING', `no KV cache of group ${groupId} exists`)
    },
    getKvCacheManager: (numBlocks, blockSize, cellSize, numLayers, options = {}) =>
      kvcached.manager({
        ...{integration: 'vllm', numBlocks, blockSize, cellSize, numLayers, reservesNullBlock: true},
        ...pool(options),
      }),
  }
  const sglang: SglangInterfaces = {
    ...shared('sglang'),
    initKvcached: (options = {}) => kvcached.init(options, (options.tpSize ?? 1) > 1),
    allocKvCache(
      shape,
      dtypeName,
      device,
      numLayers,
      pageSize = 1,
      attentionName = 'MHA',
      kvLayout = 'NHD',
      groupId = 0,
    ) {
      const {dtype, geometry} = kvcached.geometryFor(numLayers, dtypeName)
      const deviceName = kvcached.checkDevice(device)
      const attentionType: AttentionType = checkAttention(attentionName, kvLayout, attentionName === 'MLA')
      const layout = sglangLayout({shape, pageSize, attentionType}, geometry)
      warnOfBlocks(shape[0]!, layout.numBlocks * pageSize, 'tokens')
      kvcached.createKvTensors(
        ...([
          layout.bufferBytes * layout.buffers,
          dtype,
          deviceName,
          numLayers,
          layout.buffers,
          groupId,
        ] as const),
        false,
      )
      return {
        kTensors: tensors(groupId, dtypeName, deviceName, layout.keys),
        vTensors: tensors(groupId, dtypeName, deviceName, layout.values),
      }
    },
    allocMambaStates({numSlots, numMambaLayers, cacheParams, device, groupId = 0}) {
      const {geometry} = kvcached.geometryFor(numMambaLayers, 'uint8')
      const {isContiguous, pageBytes} = geometry
      const {conv, temporal, ...cell} = mambaLayout(
        {
          ...cacheParams.shape,
          convDtype: parseDtype(cacheParams.dtype.conv),
          temporalDtype: parseDtype(cacheParams.dtype.temporal),
        },
        {numSlots, numLayers: numMambaLayers, pageBytes, isContiguous},
      )
      const deviceName = kvcached.checkDevice(device)
      const layerBytes = numSlots * cell.cellBytes
      kvcached.createKvTensors(layerBytes, 'uint8', deviceName, numMambaLayers, 1, groupId, !isContiguous)
      return {
        convState: conv.map(views => tensors(groupId, cacheParams.dtype.conv, deviceName, views)),
        temporalState: tensors(groupId, cacheParams.dtype.temporal, deviceName, temporal),
        info: {
          ...{cellSize: cell.cellBytes, numSlots, numMambaLayers, isContiguous},
          ...{convOffsets: cell.convOffsets, temporalOffset: cell.temporalOffset},
        },
      }
    },
    getKvCacheManager: (numBlocks, blockSize, cellSize, numLayers, options = {}) =>
      kvcached.manager({
        ...{integration: 'sglang', numBlocks, blockSize, cellSize, numLayers},
        reservesNullBlock: options.reservesNullBlock ?? true,
        ...pool(options),
      }),
  }
  const offsetsOf = (
    offsets: readonly number[],
    second: number | readonly number[],
  ): [readonly number[], number] =>
    typeof second === 'number' ? [offsets, second] : [offsets.map(id => kvcached.offsetOfPage(id, 0)), 0]
  const vmmOps: VmmOps = {
    createKvTensors(layerBytes, dtypeSize, device, numLayers, buffers = 2, groupId = 0, isUnified = false) {
      const dtypeName = DTYPE_OF_SIZE[dtypeSize]
      if (dtypeName === undefined) {
        throw new ConfigurationError(
          'DTYPE_UNSUPPORTED',
          `elements of ${dtypeSize} bytes; possible are 1, 2, 4 and 8`,
        )
      }
      const {dtype} = kvcached.geometryFor(numLayers, dtypeName)
      return kvcached.createKvTensors(layerBytes, dtype, device, numLayers, buffers, groupId, isUnified)
    },
    kvTensorsCreated: (groupId = 0) => kvcached.kvTensorsCreated(groupId),
    mapToKvTensors: (offsets, second = 0) => kvcached.mapToKvTensors(...offsetsOf(offsets, second)),
    unmapFromKvTensors: (offsets, second = 0) => kvcached.unmapFromKvTensors(...offsetsOf(offsets, second)),
  }
  return {vllm, sglang, vmmOps}
}

/** Asking for more blocks than there are, in kvcached's words. */
export function shortOfBlocks(count: number): ResourceError {
  return new ResourceError('KV_BLOCKS_SHORT', `Cannot get ${count} free blocks from the pool`, {
    suggestions: ['free blocks, or raise the limit of the segment (kvctl limit)'],
  })
}

function pool({numKvBuffers = 2, groupId = 0, poolName}: PoolOptions) {
  return {numKvBuffers, groupId, poolName: poolName ?? null}
}
