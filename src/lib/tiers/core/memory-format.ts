import {DTYPES, type Dtype} from './dtypes.js'

/** How a memory object's numbers are ordered. @see LMCache/LMCache:lmcache/v1/memory_management.py — MemoryFormat */
export const MEMORY_FORMATS = [
  'UNDEFINED',
  'KV_2LTD',
  'KV_T2D',
  'KV_2TD',
  'BINARY',
  'BINARY_BUFFER',
  'KV_MLA_FMT',
  'EC_TD',
  'HS_TD',
] as const
export type MemoryFormat = (typeof MEMORY_FORMATS)[number]

/** One tensor of a memory object; hybrid models have several behind each other. */
export interface TensorLayout {
  readonly dtype: Dtype
  /** Without padding: 1 to 4 dimensions. */
  readonly shape: readonly number[]
}

/** What a chunk's bytes are. */
export interface ChunkLayout {
  readonly format: MemoryFormat
  readonly tensors: readonly TensorLayout[]
}

export function tensorBytes({dtype, shape}: TensorLayout): number {
  return shape.reduce((product, size) => product * size, DTYPES[dtype].bytes)
}

export function layoutBytes({tensors}: ChunkLayout): number {
  return tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0)
}

/** The KV cache that one worker holds of a model. */
export interface KvShape {
  readonly layers: number
  /** 2 for K and V, 1 for multi-head latent attention. */
  readonly kvSize: 1 | 2
  readonly heads: number
  readonly headSize: number
  readonly dtype: Dtype
}

/** The whole chunk of `tokens` tokens in one object: `[kv, layers, tokens, heads · head size]`. */
export function chunkLayout({layers, kvSize, heads, headSize, dtype}: KvShape, tokens: number): ChunkLayout {
  return {
    format: kvSize === 1 ? 'KV_MLA_FMT' : 'KV_2LTD',
    tensors: [{dtype, shape: [kvSize, layers, tokens, heads * headSize]}],
  }
}

/** Bytes that a token takes in all layers. */
export function tokenBytes({layers, kvSize, heads, headSize, dtype}: KvShape): number {
  return layers * kvSize * heads * headSize * DTYPES[dtype].bytes
}
