import {NativeError} from './native-error.js'

/** The `CUresult` codes that decisions hang on. */
export const CUDA = {
  success: 0,
  invalidValue: 1,
  outOfMemory: 2,
  notInitialized: 3,
  stubLibrary: 34,
  deviceUnavailable: 46,
  noDevice: 100,
  invalidDevice: 101,
  invalidContext: 201,
  /** Also when the library itself cannot be loaded, which has no code of its own. */
  sharedObjectInitFailed: 303,
  invalidHandle: 400,
  /** Also for a function that this driver does not have. */
  notFound: 500,
  notReady: 600,
  illegalAddress: 700,
  notPermitted: 800,
  notSupported: 801,
  systemNotReady: 802,
  driverMismatch: 803,
} as const

/** `CUresult`: its name without `CUDA_ERROR_` and what it means, by number. */
const STATUSES: Readonly<Record<number, readonly [name: string, text: string]>> = {
  1: ['INVALID_VALUE', 'invalid argument'],
  2: ['OUT_OF_MEMORY', 'out of memory'],
  3: ['NOT_INITIALIZED', 'cuInit has not been called'],
  4: ['DEINITIALIZED', 'the driver is shutting down'],
  5: ['PROFILER_DISABLED', 'the profiler is not there while a tool profiles'],
  6: ['PROFILER_NOT_INITIALIZED', 'the profiler is not initialised'],
  7: ['PROFILER_ALREADY_STARTED', 'the profiler runs already'],
  8: ['PROFILER_ALREADY_STOPPED', 'the profiler does not run'],
  34: ['STUB_LIBRARY', 'the library is a stub for linking, not the driver'],
  36: ['CALL_REQUIRES_NEWER_DRIVER', 'the call needs a newer driver'],
  46: ['DEVICE_UNAVAILABLE', 'the device is busy or not available'],
  100: ['NO_DEVICE', 'there is no CUDA device'],
  101: ['INVALID_DEVICE', 'no such device'],
  102: ['DEVICE_NOT_LICENSED', 'the device has no licence for this'],
  200: ['INVALID_IMAGE', 'the kernel image is invalid'],
  201: ['INVALID_CONTEXT', 'there is no current context, or an invalid one'],
  202: ['CONTEXT_ALREADY_CURRENT', 'the context is current already'],
  205: ['MAP_FAILED', 'mapping failed'],
  206: ['UNMAP_FAILED', 'unmapping failed'],
  207: ['ARRAY_IS_MAPPED', 'the array is mapped'],
  208: ['ALREADY_MAPPED', 'it is mapped already'],
  209: ['NO_BINARY_FOR_GPU', 'there is no kernel image for this device'],
  210: ['ALREADY_ACQUIRED', 'it has been acquired already'],
  211: ['NOT_MAPPED', 'it is not mapped'],
  212: ['NOT_MAPPED_AS_ARRAY', 'it is not mapped as an array'],
  213: ['NOT_MAPPED_AS_POINTER', 'it is not mapped as a pointer'],
  214: ['ECC_UNCORRECTABLE', 'uncorrectable ECC error'],
  215: ['UNSUPPORTED_LIMIT', 'the device does not have this limit'],
  216: ['CONTEXT_ALREADY_IN_USE', 'the context is bound to another thread'],
  217: ['PEER_ACCESS_UNSUPPORTED', 'the devices cannot reach each other'],
  218: ['INVALID_PTX', 'the PTX does not compile'],
  219: ['INVALID_GRAPHICS_CONTEXT', 'the graphics context is invalid'],
  220: ['NVLINK_UNCORRECTABLE', 'uncorrectable NVLink error'],
  221: ['JIT_COMPILER_NOT_FOUND', 'the PTX compiler library was not found'],
  222: ['UNSUPPORTED_PTX_VERSION', 'the PTX is newer than the driver'],
  223: ['JIT_COMPILATION_DISABLED', 'PTX compilation is disabled'],
  224: ['UNSUPPORTED_EXEC_AFFINITY', 'the device does not have this execution affinity'],
  225: ['UNSUPPORTED_DEVSIDE_SYNC', 'synchronisation on the device is not supported'],
  226: ['CONTAINED', 'a memory error was contained; the process must restart'],
  300: ['INVALID_SOURCE', 'the kernel source is invalid'],
  301: ['FILE_NOT_FOUND', 'file not found'],
  302: ['SHARED_OBJECT_SYMBOL_NOT_FOUND', 'a shared object lacks a symbol'],
  303: ['SHARED_OBJECT_INIT_FAILED', 'a shared object could not be loaded'],
  304: ['OPERATING_SYSTEM', 'a call of the operating system failed'],
  400: ['INVALID_HANDLE', 'invalid handle'],
  401: ['ILLEGAL_STATE', 'a resource is not in a state that allows this'],
  402: ['LOSSY_QUERY', 'the answer would lose information'],
  500: ['NOT_FOUND', 'named symbol not found'],
  600: ['NOT_READY', 'the work is not finished'],
  700: ['ILLEGAL_ADDRESS', 'illegal memory access'],
  701: ['LAUNCH_OUT_OF_RESOURCES', 'the launch asks for too many resources'],
  702: ['LAUNCH_TIMEOUT', 'the kernel ran too long'],
  703: ['LAUNCH_INCOMPATIBLE_TEXTURING', 'the launch uses another texturing mode'],
  704: ['PEER_ACCESS_ALREADY_ENABLED', 'peer access is enabled already'],
  705: ['PEER_ACCESS_NOT_ENABLED', 'peer access is not enabled'],
  708: ['PRIMARY_CONTEXT_ACTIVE', 'the primary context is in use'],
  709: ['CONTEXT_IS_DESTROYED', 'the context has been destroyed'],
  710: ['ASSERT', 'an assertion failed on the device'],
  711: ['TOO_MANY_PEERS', 'too many peers'],
  712: ['HOST_MEMORY_ALREADY_REGISTERED', 'the host memory is registered already'],
  713: ['HOST_MEMORY_NOT_REGISTERED', 'the host memory is not registered'],
  714: ['HARDWARE_STACK_ERROR', 'error in the hardware stack'],
  715: ['ILLEGAL_INSTRUCTION', 'illegal instruction'],
  716: ['MISALIGNED_ADDRESS', 'misaligned address'],
  717: ['INVALID_ADDRESS_SPACE', 'address of the wrong space'],
  718: ['INVALID_PC', 'invalid program counter'],
  719: ['LAUNCH_FAILED', 'unspecified launch failure'],
  720: ['COOPERATIVE_LAUNCH_TOO_LARGE', 'the cooperative launch is too large'],
  721: ['TENSOR_MEMORY_LEAK', 'a kernel left tensor memory allocated'],
  800: ['NOT_PERMITTED', 'not permitted'],
  801: ['NOT_SUPPORTED', 'not supported'],
  802: ['SYSTEM_NOT_READY', 'the system is not ready: its fabric manager may not run'],
  803: ['SYSTEM_DRIVER_MISMATCH', 'library and kernel driver are of different versions'],
  804: ['COMPAT_NOT_SUPPORTED_ON_DEVICE', 'the compatibility library does not serve this device'],
  805: ['MPS_CONNECTION_FAILED', 'the MPS client cannot reach the MPS server'],
  806: ['MPS_RPC_FAILURE', 'the MPS server does not answer properly'],
  807: ['MPS_SERVER_NOT_READY', 'the MPS server is not ready'],
  808: ['MPS_MAX_CLIENTS_REACHED', 'the MPS server has as many clients as it takes'],
  809: ['MPS_MAX_CONNECTIONS_REACHED', 'the MPS server has as many connections as it takes'],
  810: ['MPS_CLIENT_TERMINATED', 'the MPS client was ended'],
  811: ['CDP_NOT_SUPPORTED', 'the module uses dynamic parallelism, which is not supported'],
  812: ['CDP_VERSION_MISMATCH', 'versions of dynamic parallelism differ'],
  900: ['STREAM_CAPTURE_UNSUPPORTED', 'not allowed while the stream is captured'],
  901: ['STREAM_CAPTURE_INVALIDATED', 'the capture is invalid'],
  902: ['STREAM_CAPTURE_MERGE', 'two captures would merge'],
  903: ['STREAM_CAPTURE_UNMATCHED', 'the capture began elsewhere'],
  904: ['STREAM_CAPTURE_UNJOINED', 'the capture has an unjoined fork'],
  905: ['STREAM_CAPTURE_ISOLATION', 'the capture would depend on work outside'],
  906: ['STREAM_CAPTURE_IMPLICIT', 'the capture would depend on the default stream'],
  907: ['CAPTURED_EVENT', 'the event is of a capture'],
  908: ['STREAM_CAPTURE_WRONG_THREAD', 'the capture belongs to another thread'],
  909: ['TIMEOUT', 'timeout'],
  910: ['GRAPH_EXEC_UPDATE_FAILURE', 'the graph cannot be updated so'],
  911: ['EXTERNAL_DEVICE', 'error of a device outside CUDA'],
  912: ['INVALID_CLUSTER_SIZE', 'the cluster is misconfigured'],
  913: ['FUNCTION_NOT_LOADED', 'the function is not loaded'],
  914: ['INVALID_RESOURCE_TYPE', 'the resource is of another type'],
  915: ['INVALID_RESOURCE_CONFIGURATION', 'the resource is misconfigured'],
  916: ['KEY_ROTATION', 'encryption keys are being rotated'],
  999: ['UNKNOWN', 'unknown error'],
}

/** Every number that has a name here. */
export const CUDA_STATUS_CODES: readonly number[] = Object.keys(STATUSES).map(Number)

/**
 * A failed call of the CUDA driver: `errno` is the `CUresult`, `code` its name in `cuda.h`. The texts are our own table and
 * not cuGetErrorString, so that they are there without the library too.
 *
 * @param detail said after the text, such as the loader's own words
 */
export function cudaError(call: string, status: number, detail = ''): NativeError {
  const [name, text] = STATUSES[status] ?? [String(status), 'unknown error']
  return new NativeError(call, status, `CUDA_ERROR_${name}`, detail === '' ? text : `${text}: ${detail}`)
}

const FATAL = new Set([214, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 810, 911, 999])

/**
 * Whether a failure leaves the context, or the whole process, unusable: every later call fails with the same number, and
 * only a new process helps.
 */
export function isFatalCudaStatus(status: number): boolean {
  return FATAL.has(status)
}
