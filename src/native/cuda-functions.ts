/**
 * C types of parameters: `out` is memory the library writes to, `host` memory of this process (a buffer or an address),
 * `handle` an opaque pointer (context, stream, event), `u64` also a device address or an allocation's handle.
 */
export type CudaParameter = 'i32' | 'u32' | 'u64' | 'u8' | 'size' | 'out' | 'host' | 'handle'

/** A function and how to get it: exported under its key, else from `cuGetProcAddress` at that CUDA version. */
export interface CudaPrototype {
  /** The CUDA version (12040 is 12.4) whose `cuGetProcAddress` gives this ABI under the name without its suffix. */
  readonly since: number
  readonly takes: readonly CudaParameter[]
  /** An older name with the same ABI; never one that took 32-bit addresses. */
  readonly older?: string
}

const f = (since: number, ...takes: CudaParameter[]): CudaPrototype => ({since, takes})

/**
 * The functions of `cuda.h` that kvctl calls; all return `CUresult`. Where a name stands with `_v2`, the library also
 * exports the bare one with another ABI (32-bit sizes and addresses): binding that would corrupt memory silently.
 *
 * @see NVIDIA/cuda-python:cuda_bindings/cuda/bindings/driver.pyx — the names behind the header's macros
 */
export const CUDA_PROTOTYPES = {
  cuInit: f(2000, 'u32'),
  cuDriverGetVersion: f(2020, 'out'),
  cuGetErrorName: f(6000, 'i32', 'out'),
  cuGetErrorString: f(6000, 'i32', 'out'),
  cuDeviceGetCount: f(2000, 'out'),
  cuDeviceGet: f(2000, 'out', 'i32'),
  cuDeviceGetName: f(2000, 'out', 'i32', 'i32'),
  cuDeviceGetUuid_v2: {...f(11040, 'out', 'i32'), older: 'cuDeviceGetUuid'},
  cuDeviceTotalMem_v2: f(3020, 'out', 'i32'),
  cuDeviceGetAttribute: f(2000, 'out', 'i32', 'i32'),
  cuDeviceGetPCIBusId: f(4010, 'out', 'i32', 'i32'),
  cuDevicePrimaryCtxRetain: f(7000, 'out', 'i32'),
  cuDevicePrimaryCtxRelease_v2: {...f(11000, 'i32'), older: 'cuDevicePrimaryCtxRelease'},
  cuDevicePrimaryCtxSetFlags_v2: {...f(11000, 'i32', 'u32'), older: 'cuDevicePrimaryCtxSetFlags'},
  cuDevicePrimaryCtxGetState: f(7000, 'i32', 'out', 'out'),
  cuCtxSetCurrent: f(4000, 'handle'),
  cuCtxGetCurrent: f(4000, 'out'),
  cuCtxPushCurrent_v2: f(4000, 'handle'),
  cuCtxPopCurrent_v2: f(4000, 'out'),
  cuCtxSynchronize: f(2000),
  cuMemGetInfo_v2: f(3020, 'out', 'out'),
  cuMemAlloc_v2: f(3020, 'out', 'size'),
  cuMemFree_v2: f(3020, 'u64'),
  cuMemHostAlloc: f(2020, 'out', 'size', 'u32'),
  cuMemFreeHost: f(2000, 'host'),
  cuMemHostRegister_v2: f(6050, 'host', 'size', 'u32'),
  cuMemHostUnregister: f(4000, 'host'),
  cuMemcpyHtoD_v2: f(3020, 'u64', 'host', 'size'),
  cuMemcpyDtoH_v2: f(3020, 'host', 'u64', 'size'),
  cuMemcpyDtoD_v2: f(3020, 'u64', 'u64', 'size'),
  cuMemcpyHtoDAsync_v2: f(3020, 'u64', 'host', 'size', 'handle'),
  cuMemcpyDtoHAsync_v2: f(3020, 'host', 'u64', 'size', 'handle'),
  cuMemcpyDtoDAsync_v2: f(3020, 'u64', 'u64', 'size', 'handle'),
  cuMemsetD8_v2: f(3020, 'u64', 'u8', 'size'),
  cuMemsetD32_v2: f(3020, 'u64', 'u32', 'size'),
  cuMemsetD8Async: f(3020, 'u64', 'u8', 'size', 'handle'),
  cuMemGetAllocationGranularity: f(10020, 'out', 'host', 'i32'),
  cuMemAddressReserve: f(10020, 'out', 'size', 'size', 'u64', 'u64'),
  cuMemAddressFree: f(10020, 'u64', 'size'),
  cuMemCreate: f(10020, 'out', 'size', 'host', 'u64'),
  cuMemRelease: f(10020, 'u64'),
  cuMemMap: f(10020, 'u64', 'size', 'size', 'u64', 'u64'),
  cuMemUnmap: f(10020, 'u64', 'size'),
  cuMemSetAccess: f(10020, 'u64', 'size', 'host', 'size'),
  cuMemGetAccess: f(10020, 'out', 'host', 'u64'),
  cuMemExportToShareableHandle: f(10020, 'out', 'u64', 'i32', 'u64'),
  cuMemImportFromShareableHandle: f(10020, 'out', 'handle', 'i32'),
  cuMemRetainAllocationHandle: f(11000, 'out', 'handle'),
  cuMemGetAllocationPropertiesFromHandle: f(10020, 'out', 'u64'),
  cuStreamCreate: f(2000, 'out', 'u32'),
  cuStreamDestroy_v2: f(4000, 'handle'),
  cuStreamSynchronize: f(2000, 'handle'),
  cuStreamQuery: f(2000, 'handle'),
  cuEventCreate: f(2000, 'out', 'u32'),
  cuEventDestroy_v2: f(4000, 'handle'),
  cuEventRecord: f(2000, 'handle', 'handle'),
  cuEventSynchronize: f(2000, 'handle'),
  cuEventQuery: f(2000, 'handle'),
  cuEventElapsedTime: f(2000, 'out', 'handle', 'handle'),
} as const satisfies Readonly<Record<string, CudaPrototype>>

export type CudaFunction = keyof typeof CUDA_PROTOTYPES
