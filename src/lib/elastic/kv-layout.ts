import {ConfigurationError} from '../foundation/index.js'

export const ATTENTION_TYPES = ['MHA', 'GQA', 'MLA', 'HYBRID_LINEAR'] as const
export type AttentionType = (typeof ATTENTION_TYPES)[number]

/** A tensor over one of a pool's ranges. */
export interface StridedView {
  /** Which range: always 0 in the contiguous layout, else the layer. */
  readonly range: number
  /** Of the first element, in bytes from the start of the range. */
  readonly byteOffset: number
  readonly shape: readonly number[]
  /** In elements. */
  readonly strides: readonly number[]
}

/** What the machine and the settings fix before any shape is known. */
export interface PoolGeometry {
  readonly numLayers: number
  readonly pageBytes: number
  readonly isContiguous: boolean
  /** Memory of the device; addresses are reserved for all of it. */
  readonly deviceBytes: number
  readonly itemBytes: number
}

export interface KvLayout {
  /** KV buffers a layer: 2, or 1 for MLA. */
  readonly buffers: number
  /** Of one block in one buffer of one layer. */
  readonly blockBytes: number
  /** Bytes reserved of one buffer of one layer. */
  readonly bufferBytes: number
  /** Blocks for which there are addresses, whatever was asked for. */
  readonly numBlocks: number
}

export interface VllmShape {
  readonly shape: readonly number[]
  readonly blockSize: number
  readonly attentionType: AttentionType
  /** Tokens that a kernel takes for a block; a divisor of `blockSize`. */
  readonly kernelBlockSize: number
}

/** @throws ConfigurationError `ATTENTION_UNSUPPORTED`, `KV_LAYOUT_UNSUPPORTED` */
export function checkAttention(type: string, layout: string, isLayoutFree = false): AttentionType {
  if (!ATTENTION_TYPES.some(known => known === type)) {
    throw new ConfigurationError('ATTENTION_UNSUPPORTED', `Attention type ${type} is not supported.`, {
      suggestions: [`take one of ${ATTENTION_TYPES.join(', ')}`],
    })
  }
  if (layout !== 'NHD' && !isLayoutFree) {
    throw new ConfigurationError('KV_LAYOUT_UNSUPPORTED', `KV layout ${layout} is not supported.`, {
      suggestions: ['take NHD'],
    })
  }
  return type as AttentionType
}

/** The dimension of a vLLM shape that counts blocks; K and V are the other of the first two. */
function blockDimension({shape, blockSize, attentionType}: VllmShape): 0 | 1 {
  if (attentionType === 'MLA') {
    if (shape.length <= 2) throw shapeError(`Unsupported MLA kv cache shape: (${shape.join(', ')})`)
    if (shape[1] !== blockSize) {
      throw shapeError(`block_size mismatch: kvcache_shape[1]=${shape[1]} != block_size=${blockSize}`)
    }
    return 0
  }
  const isKnown = shape.length > 3 && (shape[0] === 2 || shape[1] === 2) && shape[2] === blockSize
  if (!isKnown) throw shapeError(`Unsupported kv cache shape: (${shape.join(', ')})`)
  return shape[0] === 2 ? 1 : 0
}

/**
 * How vLLM's shape lies in memory.
 *
 * @throws ConfigurationError `KV_SHAPE_UNSUPPORTED`
 * @see ovg-project/kvcached:kvcached/integration/vllm/interfaces.py — the same capacities and strides
 */
export function vllmLayout(
  asked: VllmShape,
  geometry: PoolGeometry,
): KvLayout & {readonly views: StridedView[]} {
  const {shape, blockSize, attentionType, kernelBlockSize} = asked
  const {numLayers, isContiguous, itemBytes} = geometry
  const blockAt = blockDimension(asked)
  if (!(kernelBlockSize > 0) || blockSize % kernelBlockSize !== 0) {
    throw shapeError(`block_size (${blockSize}) must be a multiple of kernel_block_size (${kernelBlockSize})`)
  }
  const isMla = attentionType === 'MLA'
  const isUnified = attentionType === 'HYBRID_LINEAR'
  const inner = shape.slice(isMla ? 1 : 2)
  const layout = capacity(isMla, product(inner) * itemBytes, geometry)
  const ratio = blockSize / kernelBlockSize
  if (ratio > 1 && isContiguous && !isUnified) {
    throw new ConfigurationError(
      'KV_SHAPE_UNSUPPORTED',
      `kernel blocks of ${kernelBlockSize} tokens in blocks of ${blockSize} need one range a layer`,
      {suggestions: ['set KVCACHED_CONTIGUOUS_LAYOUT=false']},
    )
  }
  const kernelInner = [kernelBlockSize, ...inner.slice(1)]
  const kernelBlocks = layout.numBlocks * ratio
  /** Elements of K, or of V, in one kernel block. */
  const half = product(kernelInner)
  const copies = isMla ? 1 : 2
  const layersBetween = isContiguous ? numLayers : 1
  const isInterleaved = isContiguous || isUnified
  const blockStride = (isInterleaved ? copies : 1) * layersBetween * half
  const valueStride = isInterleaved ? half : layout.bufferBytes / itemBytes
  const views = layerIndices(numLayers).map((layer): StridedView => {
    const outer = isMla
      ? {shape: [kernelBlocks], strides: [blockStride]}
      : blockAt === 1
        ? {shape: [2, kernelBlocks], strides: [valueStride, blockStride]}
        : {shape: [kernelBlocks, 2], strides: [blockStride, valueStride]}
    return {
      range: isContiguous ? 0 : layer,
      byteOffset: isContiguous ? layer * copies * half * itemBytes : 0,
      shape: [...outer.shape, ...kernelInner],
      strides: [...outer.strides, ...stridesOf(kernelInner)],
    }
  })
  return {...layout, views}
}

export interface SglangShape {
  /** Tokens first. */
  readonly shape: readonly number[]
  /** Tokens of what SGLang calls a page and kvcached a block. */
  readonly pageSize: number
  readonly attentionType: AttentionType
}

/**
 * How SGLang's shape lies in memory; for MLA `values` is empty.
 *
 * @throws ConfigurationError `KV_SHAPE_UNSUPPORTED`, `ATTENTION_UNSUPPORTED`
 * @see ovg-project/kvcached:kvcached/integration/sglang/interfaces.py
 */
export function sglangLayout(
  {shape, pageSize, attentionType}: SglangShape,
  geometry: PoolGeometry,
): KvLayout & {readonly keys: StridedView[]; readonly values: StridedView[]} {
  if (attentionType === 'HYBRID_LINEAR') {
    throw new ConfigurationError(
      'ATTENTION_UNSUPPORTED',
      'Hybrid models: attention type HYBRID_LINEAR is not supported in the shape of SGLang.',
      {suggestions: ['take the shape of vLLM']},
    )
  }
  if (shape.length <= 2) throw shapeError(`Unsupported kv cache shape: (${shape.join(', ')})`)
  const {numLayers, isContiguous, itemBytes} = geometry
  const isMla = attentionType === 'MLA'
  const inner = shape.slice(1)
  const token = product(inner)
  const layout = capacity(isMla, pageSize * token * itemBytes, geometry)
  const copies = isMla ? 1 : 2
  const tokenStride = isContiguous ? numLayers * copies * token : token
  const valueOffset = isContiguous ? token * itemBytes : layout.bufferBytes
  const view = (layer: number, isValue: boolean): StridedView => ({
    range: isContiguous ? 0 : layer,
    byteOffset: (isContiguous ? layer * copies * token * itemBytes : 0) + (isValue ? valueOffset : 0),
    shape: [layout.numBlocks * pageSize, ...inner],
    strides: [tokenStride, ...stridesOf(inner)],
  })
  return {
    ...layout,
    keys: layerIndices(numLayers).map(layer => view(layer, false)),
    values: isMla ? [] : layerIndices(numLayers).map(layer => view(layer, true)),
  }
}

function capacity(isMla: boolean, blockBytes: number, geometry: PoolGeometry): KvLayout {
  const {deviceBytes, numLayers, pageBytes} = geometry
  const buffers = isMla ? 1 : 2
  const alignment = isMla ? 2 * pageBytes : pageBytes
  const share = Math.floor(Math.floor(deviceBytes / numLayers) / buffers)
  const bufferBytes = Math.floor(share / alignment) * alignment
  if (bufferBytes === 0) {
    throw new ConfigurationError(
      'KV_POOL_TOO_SMALL',
      `${deviceBytes} bytes of memory do not give each of ${numLayers} layers a page of ${pageBytes} bytes`,
    )
  }
  if (blockBytes > pageBytes) {
    const neededMiB = Math.ceil(blockBytes / 2 ** 21) * 2
    throw new ConfigurationError(
      'KV_BLOCK_TOO_LARGE',
      `a KV block of ${blockBytes} bytes does not fit into a page of ${pageBytes} bytes`,
      {suggestions: [`use pages of ${neededMiB} MiB (KVCACHED_PAGE_SIZE_MB=${neededMiB})`]},
    )
  }
  return {buffers, blockBytes, bufferBytes, numBlocks: Math.floor(bufferBytes / blockBytes)}
}

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1)

/** Row-major, in elements. */
function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, index) => product(shape.slice(index + 1)))
}

function layerIndices(count: number): number[] {
  return Array.from({length: count}, (_, layer) => layer)
}

function shapeError(message: string): ConfigurationError {
  return new ConfigurationError('KV_SHAPE_UNSUPPORTED', message)
}
