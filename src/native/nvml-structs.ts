/** A field's place: byte offset and C type. `text` is NUL-terminated and reaches to the next field or the end. */
type Place = readonly [offset: number, type: FieldType]
type FieldType = 'u32' | 'i32' | 'u64' | 'text'
type FieldValue<T> = T extends 'text' ? string : T extends 'u64' ? number | null : number

/** A C struct of `nvml.h` on x86-64 and arm64 Linux, under its own field names; all little-endian. */
export interface Struct<F extends Readonly<Record<string, Place>> = Readonly<Record<string, Place>>> {
  /** sizeof */
  readonly bytes: number
  readonly fields: F
}

/** What {@link readStruct} gives: u64 is null where NVML says "not available" (all ones). */
export type Decoded<S extends Struct> = {
  readonly [K in keyof S['fields']]: FieldValue<S['fields'][K][1]>
}

/**
 * Layouts by the names of the C types; `test/contract/nvml-abi.test.ts` compares each with a C compiler's.
 *
 * @see NVIDIA/go-nvml:gen/nvml/nvml.h — the declarations, header of API 12 and 13
 */
export const STRUCTS = {
  nvmlMemory_t: {bytes: 24, fields: {total: [0, 'u64'], free: [8, 'u64'], used: [16, 'u64']}},
  nvmlMemory_v2_t: {
    bytes: 40,
    fields: {
      version: [0, 'u32'],
      total: [8, 'u64'],
      reserved: [16, 'u64'],
      free: [24, 'u64'],
      used: [32, 'u64'],
    },
  },
  nvmlBAR1Memory_t: {
    bytes: 24,
    fields: {bar1Total: [0, 'u64'], bar1Free: [8, 'u64'], bar1Used: [16, 'u64']},
  },
  nvmlUtilization_t: {bytes: 8, fields: {gpu: [0, 'u32'], memory: [4, 'u32']}},
  nvmlPciInfo_t: {
    bytes: 68,
    fields: {
      busIdLegacy: [0, 'text'],
      domain: [16, 'u32'],
      bus: [20, 'u32'],
      device: [24, 'u32'],
      pciDeviceId: [28, 'u32'],
      pciSubSystemId: [32, 'u32'],
      busId: [36, 'text'],
    },
  },
  nvmlProcessInfo_v1_t: {bytes: 16, fields: {pid: [0, 'u32'], usedGpuMemory: [8, 'u64']}},
  nvmlProcessInfo_v2_t: {
    bytes: 24,
    fields: {
      pid: [0, 'u32'],
      usedGpuMemory: [8, 'u64'],
      gpuInstanceId: [16, 'u32'],
      computeInstanceId: [20, 'u32'],
    },
  },
  nvmlProcessDetail_v1_t: {
    bytes: 32,
    fields: {
      pid: [0, 'u32'],
      usedGpuMemory: [8, 'u64'],
      gpuInstanceId: [16, 'u32'],
      computeInstanceId: [20, 'u32'],
      usedGpuCcProtectedMemory: [24, 'u64'],
    },
  },
  nvmlProcessUtilizationSample_t: {
    bytes: 32,
    fields: {
      pid: [0, 'u32'],
      timeStamp: [8, 'u64'],
      smUtil: [16, 'u32'],
      memUtil: [20, 'u32'],
      encUtil: [24, 'u32'],
      decUtil: [28, 'u32'],
    },
  },
  nvmlFieldValue_t: {
    bytes: 40,
    fields: {
      fieldId: [0, 'u32'],
      scopeId: [4, 'u32'],
      timestamp: [8, 'u64'],
      latencyUsec: [16, 'u64'],
      valueType: [24, 'u32'],
      nvmlReturn: [28, 'u32'],
      value: [32, 'u64'],
    },
  },
  nvmlDeviceAttributes_t: {
    bytes: 40,
    fields: {
      multiprocessorCount: [0, 'u32'],
      sharedCopyEngineCount: [4, 'u32'],
      sharedDecoderCount: [8, 'u32'],
      sharedEncoderCount: [12, 'u32'],
      sharedJpegCount: [16, 'u32'],
      sharedOfaCount: [20, 'u32'],
      gpuInstanceSliceCount: [24, 'u32'],
      computeInstanceSliceCount: [28, 'u32'],
      memorySizeMB: [32, 'u64'],
    },
  },
  nvmlEventData_t: {
    bytes: 32,
    fields: {
      device: [0, 'u64'],
      eventType: [8, 'u64'],
      eventData: [16, 'u64'],
      gpuInstanceId: [24, 'u32'],
      computeInstanceId: [28, 'u32'],
    },
  },
} as const satisfies Readonly<Record<string, Struct>>

const NOT_AVAILABLE = 0xffff_ffff_ffff_ffffn

/** A u64 as Number; null for NVML's "not available". Counters beyond 2^53 lose their last digits, never their size. */
export function readU64(buffer: Buffer, offset: number): number | null {
  const value = buffer.readBigUInt64LE(offset)
  return value === NOT_AVAILABLE ? null : Number(value)
}

/** Characters up to the first NUL. */
export function readText(buffer: Buffer, from = 0, to = buffer.length): string {
  const end = buffer.indexOf(0, from)
  return buffer.toString('utf8', from, end < 0 || end > to ? to : end)
}

/** Reads one struct that begins at byte `at`. */
export function readStruct<S extends Struct>(struct: S, buffer: Buffer, at = 0): Decoded<S> {
  const values: Record<string, number | string | null> = {}
  for (const name in struct.fields) {
    const [offset, type] = struct.fields[name]!
    if (type === 'u32') values[name] = buffer.readUInt32LE(at + offset)
    else if (type === 'i32') values[name] = buffer.readInt32LE(at + offset)
    else if (type === 'u64') values[name] = readU64(buffer, at + offset)
    else values[name] = readText(buffer, at + offset, at + endOfText(struct, offset))
  }
  return values as Decoded<S>
}

function endOfText({bytes, fields}: Struct, offset: number): number {
  const later = Object.values(fields).flatMap(([other]) => (other > offset ? [other] : []))
  return Math.min(bytes, ...later)
}

/** NVML's version word: the struct's size with its number in the top byte. */
export function structVersion(struct: Struct, version: number): number {
  return (struct.bytes | (version << 24)) >>> 0
}

/** `nvmlValueType_t` of a field's 8-byte value. Null for "not available" and for types that newer headers add. */
export function readFieldValue(buffer: Buffer, offset: number, type: number): number | null {
  switch (type) {
    case 0:
      return buffer.readDoubleLE(offset)
    case 1:
      return buffer.readUInt32LE(offset)
    case 2:
    case 3:
      return readU64(buffer, offset)
    case 4:
      return Number(buffer.readBigInt64LE(offset))
    case 5:
      return buffer.readInt32LE(offset)
    case 6:
      return buffer.readUInt16LE(offset)
    default:
      return null
  }
}
