import {NVML} from '../../native/nvml.js'
import {ResourceError} from '../foundation/index.js'
import type {DriverLook} from './gpu-look.js'

const STATES: Readonly<Record<number, DriverLook['state']>> = {
  [NVML.libraryNotFound]: 'no_library',
  [NVML.functionNotFound]: 'no_library',
  [NVML.driverNotLoaded]: 'not_loaded',
  [NVML.versionMismatch]: 'version_mismatch',
  [NVML.noPermission]: 'no_permission',
  [NVML.unknown]: 'unreachable',
  // The driver runs and has nothing to drive.
  [NVML.gpuNotFound]: 'ok',
}

interface Advice {
  readonly sentence: string
  readonly suggestions: readonly string[]
}

const ADVICE: Readonly<Record<Exclude<DriverLook['state'], 'ok'>, Advice>> = {
  no_library: {
    sentence: 'there is no usable NVIDIA driver library here',
    suggestions: [
      'install the NVIDIA driver; in a container, run it with --gpus all and NVIDIA_DRIVER_CAPABILITIES=utility',
      'KVCTL_NVML_PATH=/path/to/libnvidia-ml.so.1 when it lies elsewhere',
    ],
  },
  not_loaded: {
    sentence: 'the NVIDIA library is here, but the kernel driver is not loaded',
    suggestions: ['sudo modprobe nvidia', 'in a container, run it with --gpus all'],
  },
  version_mismatch: {
    sentence: 'the NVIDIA library and the loaded kernel driver are of different versions',
    suggestions: ['reload the kernel module or reboot: the driver was upgraded while it ran'],
  },
  no_permission: {
    sentence: 'this user may not open the NVIDIA devices',
    suggestions: ['ls -l /dev/nvidia*'],
  },
  unreachable: {
    sentence: 'the NVIDIA driver cannot be reached',
    suggestions: [
      'ls -l /dev/nvidia*',
      'in a container, restart it: systemctl daemon-reload on the host takes its devices away',
    ],
  },
  hung: {
    sentence: 'the NVIDIA driver does not answer',
    suggestions: ['dmesg | grep -i -e xid -e nvrm', 'reset the GPU or reboot'],
  },
  crashed: {
    sentence: 'the NVIDIA driver library took its process down',
    suggestions: ['nvidia-smi', 'reinstall the driver'],
  },
  failed: {sentence: 'the NVIDIA driver reports a failure', suggestions: ['nvidia-smi']},
}

/** The driver when it could not be started. @param problem in the library's words */
export function driverTrouble(status: number, problem: string): DriverLook {
  return troubledDriver(STATES[status] ?? 'failed', problem)
}

export function troubledDriver(state: DriverLook['state'], problem: string): DriverLook {
  return {
    state,
    problem: state === 'ok' ? null : problem,
    driverVersion: null,
    nvmlVersion: null,
    cudaVersion: null,
  }
}

/** What is wrong and what to do about it; null when all is well. */
export function explainDriver({state, problem}: DriverLook): ResourceError | null {
  if (state === 'ok') return null
  const {sentence, suggestions} = ADVICE[state]
  return new ResourceError('NVML_UNAVAILABLE', problem === null ? sentence : `${sentence} (${problem})`, {
    suggestions,
  })
}
