/** Fields of a C struct on x86-64 and arm64 Linux, little-endian: byte offset and length. */
interface CudaStruct {
  /** sizeof */
  readonly bytes: number
  readonly fields: Readonly<Record<string, readonly [offset: number, bytes: number]>>
}

/**
 * Layouts by the names of the C types, nested fields by their path; `test/contract/cuda-abi.test.ts` compares each with a
 * C compiler's.
 *
 * @see NVIDIA/cuda-python:cuda_bindings/cuda/bindings/cydriver.pxd — the declarations of header 12 and 13
 */
export const CUDA_STRUCTS = {
  CUuuid: {bytes: 16, fields: {bytes: [0, 16]}},
  CUmemLocation: {bytes: 8, fields: {type: [0, 4], id: [4, 4]}},
  CUmemAllocationProp: {
    bytes: 32,
    fields: {
      type: [0, 4],
      requestedHandleTypes: [4, 4],
      'location.type': [8, 4],
      'location.id': [12, 4],
      win32HandleMetaData: [16, 8],
      'allocFlags.compressionType': [24, 1],
      'allocFlags.gpuDirectRDMACapable': [25, 1],
      'allocFlags.usage': [26, 2],
      'allocFlags.reserved': [28, 4],
    },
  },
  CUmemAccessDesc: {bytes: 12, fields: {'location.type': [0, 4], 'location.id': [4, 4], flags: [8, 4]}},
} as const satisfies Readonly<Record<string, CudaStruct>>

/** `CUmemLocationType` */
export const CUDA_LOCATION = {device: 1, host: 2, hostNuma: 3} as const
/** `CUmemAllocationHandleType`, a set of bits */
export const CUDA_HANDLE_TYPE = {none: 0, posixFd: 1} as const
/** `CUmemAccess_flags` */
export const CUDA_ACCESS = {none: 0, read: 1, readWrite: 3} as const
/** `CUmemAllocationType` */
const PINNED = 1

/** What memory shall be and where it shall lie. */
export interface CuMemAllocationProp {
  /** {@link CUDA_LOCATION} and the device, or the NUMA node */
  readonly location: {readonly type: number; readonly id: number}
  /** {@link CUDA_HANDLE_TYPE} bits that exports will ask for */
  readonly requestedHandleTypes: number
}

type FieldOf<S extends CudaStruct> = keyof S['fields'] & string

function write<S extends CudaStruct>(struct: S, values: Partial<Record<FieldOf<S>, number>>): Buffer {
  const buffer = Buffer.alloc(struct.bytes)
  for (const [field, value] of Object.entries(values) as [FieldOf<S>, number][]) {
    const [offset, bytes] = struct.fields[field]!
    buffer.writeUIntLE(value, offset, bytes)
  }
  return buffer
}

/**
 * A `CUmemAllocationProp` for pinned memory, the one kind that can be mapped; make it once, use it for every allocation.
 *
 * @param requestedHandleTypes {@link CUDA_HANDLE_TYPE} bits; without them no allocation can be exported
 */
export function cuMemAllocationProp({location, requestedHandleTypes}: CuMemAllocationProp): Buffer {
  return write(CUDA_STRUCTS.CUmemAllocationProp, {
    type: PINNED,
    requestedHandleTypes,
    'location.type': location.type,
    'location.id': location.id,
  })
}

/** A `CUmemAccessDesc` that lets a device use a mapping. @param flags {@link CUDA_ACCESS} */
export function cuMemAccessDesc(device: number, flags: number): Buffer {
  return write(CUDA_STRUCTS.CUmemAccessDesc, {
    'location.type': CUDA_LOCATION.device,
    'location.id': device,
    flags,
  })
}

/** A `CUmemLocation` on a device. */
export function cuMemLocation(device: number): Buffer {
  return write(CUDA_STRUCTS.CUmemLocation, {type: CUDA_LOCATION.device, id: device})
}

export function readAllocationProp(buffer: Buffer): CuMemAllocationProp {
  const {fields} = CUDA_STRUCTS.CUmemAllocationProp
  const read = (field: keyof typeof fields): number => buffer.readUInt32LE(fields[field][0])
  return {
    location: {type: read('location.type'), id: read('location.id')},
    requestedHandleTypes: read('requestedHandleTypes'),
  }
}

/** `GPU-` and 8-4-4-4-12 hexadecimal digits, as nvidia-smi prints a `CUuuid`; `MIG-` is nowhere in the bytes. */
export function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return `GPU-${[hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')}`
}
