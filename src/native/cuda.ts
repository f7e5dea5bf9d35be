import {createRequire} from 'node:module'
import type koffiModule from 'koffi'
import {CUDA_PROTOTYPES, type CudaFunction, type CudaParameter, type CudaPrototype} from './cuda-functions.js'
import {CUDA, cudaError} from './cuda-status.js'
import {CUDA_STRUCTS, readAllocationProp, uuidText, type CuMemAllocationProp} from './cuda-structs.js'
import type {Address} from './libc.js'
import {openLibrary, quietly} from './open-library.js'

export {CUDA, isFatalCudaStatus} from './cuda-status.js'
export {
  CUDA_ACCESS,
  CUDA_HANDLE_TYPE,
  CUDA_LOCATION,
  cuMemAccessDesc,
  cuMemAllocationProp,
  cuMemLocation,
  type CuMemAllocationProp,
} from './cuda-structs.js'

/** A `CUdevice`: not an NVML index; join the two by UUID. */
export type CuDevice = number
/** A `CUdeviceptr`: an address on the GPU. No instruction of this process may touch it. */
export type CuDevicePtr = bigint
/** A `CUmemGenericAllocationHandle`: physical memory, mapped or not. */
export type CuMemHandle = bigint
/** A `CUcontext`; 0n is none. Current per thread. */
export type CuContext = bigint
/** A `CUstream`; 0n is the default stream. */
export type CuStream = bigint
/** A `CUevent`. */
export type CuEvent = bigint
/** Memory of this process: a buffer, or the address of memory that no garbage collector moves or frees. */
export type HostMemory = Address | Uint8Array | Uint32Array | BigUint64Array

/** `CUdevice_attribute` */
export const CUDA_ATTRIBUTE = {
  maxThreadsPerBlock: 1,
  multiprocessors: 16,
  isIntegrated: 18,
  computeMode: 20,
  isEccEnabled: 32,
  pciBus: 33,
  pciDevice: 34,
  memoryClockKhz: 36,
  memoryBusWidthBits: 37,
  l2CacheBytes: 38,
  maxThreadsPerMultiprocessor: 39,
  asyncEngines: 40,
  hasUnifiedAddressing: 41,
  pciDomain: 50,
  computeCapabilityMajor: 75,
  computeCapabilityMinor: 76,
  hasVirtualMemory: 102,
  canExportFileDescriptors: 103,
  hasMemoryPools: 115,
} as const
/** `CUmemAllocationGranularity_flags` */
export const CUDA_GRANULARITY = {minimum: 0, recommended: 1} as const
/** Flags of `cuStreamCreate`: a non-blocking stream does not wait for the default one. */
export const CUDA_STREAM = {default: 0, nonBlocking: 1} as const
/** Flags of `cuEventCreate`. */
export const CUDA_EVENT = {default: 0, blockingSync: 1, disableTiming: 2} as const
/** Flags of `cuMemHostAlloc`; `cuMemHostRegister` knows portable. */
export const CUDA_HOST = {portable: 1, deviceMapped: 2, writeCombined: 4} as const

const LIBRARIES = ['libcuda.so.1', 'libcuda.so', '/usr/lib/wsl/lib/libcuda.so.1']

const C_TYPES: Readonly<Record<CudaParameter, string>> = {
  i32: 'int32_t',
  u32: 'uint32_t',
  u64: 'uint64_t',
  u8: 'uint8_t',
  size: 'size_t',
  out: 'void *',
  host: 'void *',
  handle: 'void *',
}

type Argument = bigint | number | string | Buffer | HostMemory | null
type ForeignFunction = (...args: Argument[]) => number
type Koffi = typeof koffiModule

/**
 * NVIDIA's CUDA driver, by its own names in camelCase. Every method throws `NativeError` on failure, with the `CUresult` as
 * `errno`; a function that this driver does not have fails alone, with `CUDA.notFound`.
 *
 * Calls run on the calling thread, and the current context is that thread's. Only `init`, `driverVersion`, `error…` and
 * `device…` up to `devicePrimaryCtxRetain` are free of a context, which costs hundreds of MiB of GPU memory and keeps the
 * GPU awake: whoever only looks must stop before it. A driver may hang in any call.
 */
export type Cuda = ReturnType<typeof loadCuda>

/**
 * Loads koffi and the library; calls nothing in it yet.
 *
 * @param path null tries where drivers, containers and WSL put it
 * @throws NativeError with `CUDA.sharedObjectInitFailed`, and the loader's words
 */
export function loadCuda(path: string | null) {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const library = openLibrary(koffi, path === null ? LIBRARIES : [path], words =>
    cudaError('dlopen', CUDA.sharedObjectInitFailed, words),
  )
  const bound = new Map<CudaFunction, ForeignFunction | null>()

  /** cuGetProcAddress of CUDA 11.3, and of 12.0 with one parameter more. */
  const procAddress = quietly(
    () =>
      library.func('cuGetProcAddress_v2', 'int32_t', [
        'const char *',
        'void *',
        'int32_t',
        'uint64_t',
        'void *',
      ]) as ForeignFunction,
  )
  const procAddressBefore12 = quietly(
    () =>
      library.func('cuGetProcAddress', 'int32_t', [
        'const char *',
        'void *',
        'int32_t',
        'uint64_t',
      ]) as ForeignFunction,
  )

  /** What the driver itself gives under the bare name for a CUDA version; null when it has no such function. */
  const ask = (symbol: CudaFunction, since: number, types: string[]): ForeignFunction | null => {
    const bare = symbol.replace(/_v\d$/, '')
    const out = Buffer.alloc(8)
    const status = procAddress
      ? procAddress(bare, out, since, 0, null)
      : (procAddressBefore12?.(bare, out, since, 0) ?? CUDA.notFound)
    const address = out.readBigUInt64LE()
    if (status !== CUDA.success || address === 0n) return null
    return koffi.decode(address, koffi.proto('int32_t', types)) as ForeignFunction
  }

  const find = (symbol: CudaFunction): ForeignFunction | null => {
    const known = bound.get(symbol)
    if (known !== undefined) return known
    const {takes, since, older}: CudaPrototype = CUDA_PROTOTYPES[symbol]
    const types = takes.map(parameter => C_TYPES[parameter])
    const exported = (name: string): ForeignFunction | null =>
      quietly(() => library.func(name, 'int32_t', types) as ForeignFunction)
    const found =
      exported(symbol) ?? ask(symbol, since, types) ?? (older === undefined ? null : exported(older))
    bound.set(symbol, found)
    return found
  }

  const status = (symbol: CudaFunction, ...args: Argument[]): number =>
    find(symbol)?.(...args) ?? CUDA.notFound
  const call = (symbol: CudaFunction, ...args: Argument[]): void => {
    const code = status(symbol, ...args)
    if (code !== CUDA.success) throw cudaError(symbol, code)
  }

  // Answers are read before the next call, so that two places serve all of them.
  const [one, two] = [Buffer.alloc(8), Buffer.alloc(8)]
  const i32 = (symbol: CudaFunction, ...args: Argument[]): number => {
    call(symbol, one, ...args)
    return one.readInt32LE()
  }
  const size = (symbol: CudaFunction, ...args: Argument[]): number => {
    call(symbol, one, ...args)
    return Number(one.readBigUInt64LE())
  }
  const word = (symbol: CudaFunction, ...args: Argument[]): bigint => {
    call(symbol, one, ...args)
    return one.readBigUInt64LE()
  }
  const text = (symbol: CudaFunction, bytes: number, device: CuDevice): string => {
    const out = Buffer.alloc(bytes)
    call(symbol, out, bytes, device)
    return out.toString('utf8', 0, out.indexOf(0))
  }
  const constantText = (symbol: CudaFunction, code: number): string | null => {
    if (status(symbol, code, one) !== CUDA.success) return null
    return koffi.decode(one, 'const char *') as string
  }
  /** @returns false while the work is not finished */
  const isDone = (symbol: CudaFunction, handle: bigint): boolean => {
    const code = status(symbol, handle)
    if (code === CUDA.notReady) return false
    if (code !== CUDA.success) throw cudaError(symbol, code)
    return true
  }

  return {
    /** Whether this driver has a function, called or not. */
    has: (symbol: CudaFunction): boolean => find(symbol) !== null,

    /** Once a process, before all else; takes up to seconds. Makes no context. */
    init: (): void => call('cuInit', 0),
    /** The newest CUDA that the driver serves; 12040 is 12.4. Needs no `init`. */
    driverVersion: (): number => i32('cuDriverGetVersion'),
    /** Such as `CUDA_ERROR_NO_DEVICE`; null for a number that the driver does not know. Needs no `init`. */
    errorName: (code: number): string | null => constantText('cuGetErrorName', code),
    errorString: (code: number): string | null => constantText('cuGetErrorString', code),

    /** Devices that `CUDA_VISIBLE_DEVICES` leaves. */
    deviceCount: (): number => i32('cuDeviceGetCount'),
    deviceGet: (ordinal: number): CuDevice => i32('cuDeviceGet', ordinal),
    deviceName: (device: CuDevice): string => text('cuDeviceGetName', 256, device),
    /** `GPU-…`; of a MIG device its own, with the same prefix. */
    deviceUuid(device: CuDevice): string {
      const out = Buffer.alloc(CUDA_STRUCTS.CUuuid.bytes)
      call('cuDeviceGetUuid_v2', out, device)
      return uuidText(out)
    },
    /** Bytes. */
    deviceTotalMem: (device: CuDevice): number => size('cuDeviceTotalMem_v2', device),
    /** @param attribute {@link CUDA_ATTRIBUTE}, or another `CUdevice_attribute` */
    deviceAttribute: (device: CuDevice, attribute: number): number =>
      i32('cuDeviceGetAttribute', attribute, device),
    /** `0000:3b:00.0` */
    devicePciBusId: (device: CuDevice): string => text('cuDeviceGetPCIBusId', 16, device),

    /** Makes the device's primary context, or counts one user more. Released by the caller. */
    devicePrimaryCtxRetain: (device: CuDevice): CuContext => word('cuDevicePrimaryCtxRetain', device),
    /** The last user's release destroys it, with what it holds. */
    devicePrimaryCtxRelease: (device: CuDevice): void => call('cuDevicePrimaryCtxRelease_v2', device),
    /** @param flags 0 auto, 1 spin, 2 yield, 4 blocking: how the thread waits for the GPU */
    devicePrimaryCtxSetFlags: (device: CuDevice, flags: number): void =>
      call('cuDevicePrimaryCtxSetFlags_v2', device, flags),
    /** Asks without making one. */
    devicePrimaryCtxState(device: CuDevice): {readonly flags: number; readonly isActive: boolean} {
      call('cuDevicePrimaryCtxGetState', device, one, two)
      return {flags: one.readUInt32LE(), isActive: two.readInt32LE() !== 0}
    },

    /** Of this thread. @param context 0n for none */
    ctxSetCurrent: (context: CuContext): void => call('cuCtxSetCurrent', context),
    ctxGetCurrent: (): CuContext => word('cuCtxGetCurrent'),
    ctxPushCurrent: (context: CuContext): void => call('cuCtxPushCurrent_v2', context),
    ctxPopCurrent: (): CuContext => word('cuCtxPopCurrent_v2'),
    /** Waits for all work of the current context. */
    ctxSynchronize: (): void => call('cuCtxSynchronize'),

    /** Bytes of the current context's device; what others take counts too, so it may be stale at once. */
    memGetInfo(): {readonly freeBytes: number; readonly totalBytes: number} {
      call('cuMemGetInfo_v2', one, two)
      return {freeBytes: Number(one.readBigUInt64LE()), totalBytes: Number(two.readBigUInt64LE())}
    },
    memAlloc: (bytes: number): CuDevicePtr => word('cuMemAlloc_v2', bytes),
    memFree: (address: CuDevicePtr): void => call('cuMemFree_v2', address),
    /** Page-locked host memory, which alone copies asynchronously. @param flags {@link CUDA_HOST} @returns freed by `memFreeHost` */
    memHostAlloc: (bytes: number, flags: number): Address => word('cuMemHostAlloc', bytes, flags),
    memFreeHost: (address: Address): void => call('cuMemFreeHost', address),
    /** Locks memory that is there already. Unregistered by the caller before it goes away. */
    memHostRegister: (address: Address, bytes: number, flags: number): void =>
      call('cuMemHostRegister_v2', address, bytes, flags),
    memHostUnregister: (address: Address): void => call('cuMemHostUnregister', address),

    /** The three wait until the bytes are there. */
    memcpyHtoD: (to: CuDevicePtr, from: HostMemory, bytes: number): void =>
      call('cuMemcpyHtoD_v2', to, from, bytes),
    memcpyDtoH: (to: HostMemory, from: CuDevicePtr, bytes: number): void =>
      call('cuMemcpyDtoH_v2', to, from, bytes),
    memcpyDtoD: (to: CuDevicePtr, from: CuDevicePtr, bytes: number): void =>
      call('cuMemcpyDtoD_v2', to, from, bytes),
    /** The three return at once: the host's bytes must stay as they are until the stream says that it is done. */
    memcpyHtoDAsync: (to: CuDevicePtr, from: Address, bytes: number, stream: CuStream): void =>
      call('cuMemcpyHtoDAsync_v2', to, from, bytes, stream),
    memcpyDtoHAsync: (to: Address, from: CuDevicePtr, bytes: number, stream: CuStream): void =>
      call('cuMemcpyDtoHAsync_v2', to, from, bytes, stream),
    memcpyDtoDAsync: (to: CuDevicePtr, from: CuDevicePtr, bytes: number, stream: CuStream): void =>
      call('cuMemcpyDtoDAsync_v2', to, from, bytes, stream),
    /** @param count bytes */
    memsetD8: (at: CuDevicePtr, value: number, count: number): void =>
      call('cuMemsetD8_v2', at, value, count),
    /** @param count words of four bytes */
    memsetD32: (at: CuDevicePtr, value: number, count: number): void =>
      call('cuMemsetD32_v2', at, value, count),
    memsetD8Async: (at: CuDevicePtr, value: number, count: number, stream: CuStream): void =>
      call('cuMemsetD8Async', at, value, count, stream),

    /** Bytes of which every size below is a multiple. @param prop `cuMemAllocationProp` @param option {@link CUDA_GRANULARITY} */
    memGetAllocationGranularity: (prop: Buffer, option: number): number =>
      size('cuMemGetAllocationGranularity', prop, option),
    /**
     * Addresses without memory.
     *
     * @param alignment 0 or a power of two @param hint 0n lets the driver choose
     * @returns freed by `memAddressFree` with the same size
     */
    memAddressReserve: (bytes: number, alignment = 0, hint: CuDevicePtr = 0n): CuDevicePtr =>
      word('cuMemAddressReserve', bytes, alignment, hint, 0),
    /** Of a whole reservation in which nothing is mapped. */
    memAddressFree: (address: CuDevicePtr, bytes: number): void => call('cuMemAddressFree', address, bytes),
    /** Memory without addresses, its bytes not defined. @param prop `cuMemAllocationProp` @returns released by `memRelease` */
    memCreate: (bytes: number, prop: Buffer): CuMemHandle => word('cuMemCreate', bytes, prop, 0),
    /** May come right after mapping: the memory goes when its last mapping and its last handle are gone. */
    memRelease: (handle: CuMemHandle): void => call('cuMemRelease', handle),
    /** Puts memory at reserved addresses; nobody may touch it before `memSetAccess`. */
    memMap: (address: CuDevicePtr, bytes: number, handle: CuMemHandle): void =>
      call('cuMemMap', address, bytes, 0, handle, 0),
    /** Of whole mappings, after all work on them is done. */
    memUnmap: (address: CuDevicePtr, bytes: number): void => call('cuMemUnmap', address, bytes),
    /** @param descriptor one `cuMemAccessDesc` */
    memSetAccess: (address: CuDevicePtr, bytes: number, descriptor: Buffer): void =>
      call('cuMemSetAccess', address, bytes, descriptor, 1),
    /** @param location `cuMemLocation` @returns {@link CUDA_ACCESS} */
    memGetAccess: (address: CuDevicePtr, location: Buffer): number =>
      size('cuMemGetAccess', location, address),
    /** @returns a file descriptor, closed by the caller, by which another process may import the memory */
    memExportToFileDescriptor: (handle: CuMemHandle): number =>
      i32('cuMemExportToShareableHandle', handle, 1, 0),
    /** @param fd stays the caller's @returns released by `memRelease` */
    memImportFromFileDescriptor: (fd: number): CuMemHandle =>
      word('cuMemImportFromShareableHandle', BigInt(fd), 1),
    /** The handle of mapped memory, counted once more. */
    memRetainAllocationHandle: (address: CuDevicePtr): CuMemHandle =>
      word('cuMemRetainAllocationHandle', address),
    memGetAllocationProperties(handle: CuMemHandle): CuMemAllocationProp {
      const out = Buffer.alloc(CUDA_STRUCTS.CUmemAllocationProp.bytes)
      call('cuMemGetAllocationPropertiesFromHandle', out, handle)
      return readAllocationProp(out)
    },

    /** @param flags {@link CUDA_STREAM} */
    streamCreate: (flags: number): CuStream => word('cuStreamCreate', flags),
    streamDestroy: (stream: CuStream): void => call('cuStreamDestroy_v2', stream),
    /** Blocks this thread until all work in the stream is done. */
    streamSynchronize: (stream: CuStream): void => call('cuStreamSynchronize', stream),
    streamIsDone: (stream: CuStream): boolean => isDone('cuStreamQuery', stream),
    /** @param flags {@link CUDA_EVENT} */
    eventCreate: (flags: number): CuEvent => word('cuEventCreate', flags),
    eventDestroy: (event: CuEvent): void => call('cuEventDestroy_v2', event),
    /** Marks the place that the stream has reached by now. */
    eventRecord: (event: CuEvent, stream: CuStream): void => call('cuEventRecord', event, stream),
    eventSynchronize: (event: CuEvent): void => call('cuEventSynchronize', event),
    eventIsDone: (event: CuEvent): boolean => isDone('cuEventQuery', event),
    /** Milliseconds between two events that are done. */
    eventElapsedMs(from: CuEvent, to: CuEvent): number {
      call('cuEventElapsedTime', one, from, to)
      return one.readFloatLE()
    },
  }
}
