/** A number format: its name in keys, torch's name, its code in headers (null: none), bytes of one value. */
interface DtypeFacts {
  readonly torch: string
  readonly code: number | null
  readonly bytes: number
}

/** @see LMCache/LMCache:lmcache/utils.py — TORCH_DTYPE_TO_STR_DTYPE; lmcache/v1/protocol.py — DTYPE_TO_INT */
export const DTYPES = {
  half: {torch: 'torch.float16', code: 2, bytes: 2},
  bfloat16: {torch: 'torch.bfloat16', code: 3, bytes: 2},
  float: {torch: 'torch.float32', code: 4, bytes: 4},
  double: {torch: 'torch.float64', code: 5, bytes: 8},
  int8: {torch: 'torch.int8', code: null, bytes: 1},
  uint8: {torch: 'torch.uint8', code: 6, bytes: 1},
  int16: {torch: 'torch.int16', code: null, bytes: 2},
  int32: {torch: 'torch.int32', code: null, bytes: 4},
  int64: {torch: 'torch.int64', code: null, bytes: 8},
  bool: {torch: 'torch.bool', code: null, bytes: 1},
  fp8_e4m3fn: {torch: 'torch.float8_e4m3fn', code: 7, bytes: 1},
  fp8_e4m3fnuz: {torch: 'torch.float8_e4m3fnuz', code: null, bytes: 1},
  fp8_e5m2: {torch: 'torch.float8_e5m2', code: 8, bytes: 1},
  fp8_e5m2fnuz: {torch: 'torch.float8_e5m2fnuz', code: null, bytes: 1},
} as const satisfies Readonly<Record<string, DtypeFacts>>

export type Dtype = keyof typeof DTYPES

const NAMES = Object.keys(DTYPES) as Dtype[]
/** 1 is a second code of float16, which nobody writes. */
const BY_CODE = new Map<number, Dtype>([
  [1, 'half'],
  ...NAMES.flatMap((name): [number, Dtype][] => {
    const {code} = DTYPES[name]
    return code === null ? [] : [[code, name]]
  }),
])

export function isDtype(text: string): text is Dtype {
  return Object.hasOwn(DTYPES, text)
}

export function dtypeOfCode(code: number): Dtype | null {
  return BY_CODE.get(code) ?? null
}
