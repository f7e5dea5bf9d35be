import {NativeError} from '../../native/native-error.js'
import {NVML} from '../../native/nvml.js'
import type {UnavailableReason} from './gpu-look.js'

const REASONS: Readonly<Record<number, UnavailableReason>> = {
  [NVML.notSupported]: 'not_supported',
  // Field ids and choices that a GPU or driver does not know.
  [NVML.invalidArgument]: 'not_supported',
  [NVML.noPermission]: 'no_permission',
  [NVML.functionNotFound]: 'no_symbol',
  [NVML.notFound]: 'no_data',
  [NVML.noData]: 'no_data',
  [NVML.gpuIsLost]: 'gpu_lost',
}

/** What an `nvmlReturn_t` other than success says about one figure. */
export function reasonOfStatus(status: number): UnavailableReason {
  return REASONS[status] ?? 'driver_error'
}

/** @throws whatever did not come from the library */
export function reasonOfError(error: unknown): UnavailableReason {
  if (error instanceof NativeError) return reasonOfStatus(error.errno)
  throw error
}
