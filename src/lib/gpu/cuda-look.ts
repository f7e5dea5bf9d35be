import {CUDA_ATTRIBUTE, loadCuda, type Cuda} from '../../native/cuda.js'
import {NativeError} from '../../native/native-error.js'

/** A CUDA device as the driver lists it, which is not NVML's order. */
export interface CudaDevice {
  readonly ordinal: number
  readonly name: string
  /** `GPU-…` */
  readonly uuid: string
  /** `0000:3b:00.0` */
  readonly pciBusId: string
  readonly totalBytes: number
  /** `9.0` */
  readonly computeCapability: string
  readonly multiprocessors: number
  /** Whether memory can be mapped page by page, as kvcached and `kvctl engine --device cuda` need. */
  readonly hasVirtualMemory: boolean
}

/** What the CUDA driver says of itself and its devices. */
export interface CudaLook {
  readonly state: 'ok' | 'no_library' | 'failed' | 'hung' | 'crashed'
  /** The `CUresult` when it failed. */
  readonly status: number | null
  /** What the library said, or the call that hangs; null when all is well. */
  readonly problem: string | null
  /** The newest CUDA it serves, such as `12.4`. */
  readonly version: string | null
  readonly devices: readonly CudaDevice[]
}

/**
 * Reads it in this process, which the driver may hang. Makes no context, so no GPU memory is taken.
 *
 * @param path null finds the library where drivers put it
 * @param before told the name of each call that is about to be made
 */
export function readCuda(path: string | null, before: (call: string) => void): CudaLook {
  let version: string | null = null
  try {
    before('dlopen')
    const cuda = loadCuda(path)
    before('cuDriverGetVersion')
    version = versionText(cuda.driverVersion())
    before('cuInit')
    cuda.init()
    before('cuDeviceGetCount')
    const devices = Array.from({length: cuda.deviceCount()}, (_, ordinal) => {
      before(`cuDeviceGet ${ordinal}`)
      return readDevice(cuda, ordinal)
    })
    return {state: 'ok', status: null, problem: null, version, devices}
  } catch (error) {
    if (!(error instanceof NativeError)) throw error
    const state = error.syscall === 'dlopen' ? 'no_library' : 'failed'
    return {state, status: error.errno, problem: error.message, version, devices: []}
  }
}

function readDevice(cuda: Cuda, ordinal: number): CudaDevice {
  const device = cuda.deviceGet(ordinal)
  const attribute = (which: number): number => cuda.deviceAttribute(device, which)
  return {
    ordinal,
    name: cuda.deviceName(device),
    uuid: cuda.deviceUuid(device),
    pciBusId: cuda.devicePciBusId(device),
    totalBytes: cuda.deviceTotalMem(device),
    computeCapability: `${attribute(CUDA_ATTRIBUTE.computeCapabilityMajor)}.${attribute(CUDA_ATTRIBUTE.computeCapabilityMinor)}`,
    multiprocessors: attribute(CUDA_ATTRIBUTE.multiprocessors),
    hasVirtualMemory: attribute(CUDA_ATTRIBUTE.hasVirtualMemory) === 1,
  }
}

/** 12040 is 12.4. */
function versionText(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`
}
