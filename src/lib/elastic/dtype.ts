import {ConfigurationError} from '../foundation/index.js'

/** Bytes of one element, by torch's name without `torch.`. */
const ITEM_BYTES = {
  bool: 1,
  uint8: 1,
  int8: 1,
  float8_e4m3fn: 1,
  float8_e5m2: 1,
  int16: 2,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  float32: 4,
  int64: 8,
  float64: 8,
} as const

/** An element type by torch's name. */
export type DType = keyof typeof ITEM_BYTES

/** Elements as JavaScript has them; the floats that it lacks come as their bits. */
export type Elements =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Int32Array | Float32Array | BigInt64Array | Float64Array

/** @throws ConfigurationError `DTYPE_UNSUPPORTED` @param name also with torch's own `torch.` in front */
export function parseDtype(name: string): DType {
  const dtype = name.replace(/^torch\./, '')
  if (dtype in ITEM_BYTES) return dtype as DType
  throw new ConfigurationError('DTYPE_UNSUPPORTED', `'${name}' is not an element type of KV caches`, {
    suggestions: [`take one of ${Object.keys(ITEM_BYTES).join(', ')}`],
  })
}

export function itemBytesOf(dtype: DType): number {
  return ITEM_BYTES[dtype]
}

/** The elements that lie in `bytes`, without a copy. @param bytes at the start of its buffer */
export function elementsOf(dtype: DType, bytes: Uint8Array): Elements {
  const {buffer, byteLength} = bytes
  switch (dtype) {
    case 'bool':
    case 'uint8':
    case 'float8_e4m3fn':
    case 'float8_e5m2':
      return bytes
    case 'int8':
      return new Int8Array(buffer, 0, byteLength)
    case 'int16':
      return new Int16Array(buffer, 0, byteLength / 2)
    case 'float16':
    case 'bfloat16':
      return new Uint16Array(buffer, 0, byteLength / 2)
    case 'int32':
      return new Int32Array(buffer, 0, byteLength / 4)
    case 'float32':
      return new Float32Array(buffer, 0, byteLength / 4)
    case 'int64':
      return new BigInt64Array(buffer, 0, byteLength / 8)
    case 'float64':
      return new Float64Array(buffer, 0, byteLength / 8)
  }
}
