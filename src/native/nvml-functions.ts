/** C types of parameters: `device` and `handle` are opaque pointers, `out` is memory the library writes to. */
export type Parameter = 'device' | 'handle' | 'out' | 'u32' | 'i32' | 'u64' | 'text'

const DEVICE_OUT = ['device', 'out'] as const
const DEVICE_TEXT = ['device', 'out', 'u32'] as const
const DEVICE_TWO = ['device', 'out', 'out'] as const
const DEVICE_CHOICE = ['device', 'i32', 'out'] as const

/**
 * The functions of `nvml.h` that kvctl calls, with their parameters; all return `nvmlReturn_t`. A name without a version
 * may stand beside one with it: where a driver lacks the newer, the older is taken.
 *
 * @see NVIDIA/go-nvml:gen/nvml/nvml.h
 */
export const PROTOTYPES = {
  nvmlInit_v2: [],
  nvmlShutdown: [],
  nvmlSystemGetDriverVersion: ['out', 'u32'],
  nvmlSystemGetNVMLVersion: ['out', 'u32'],
  nvmlSystemGetCudaDriverVersion_v2: ['out'],
  nvmlDeviceGetCount_v2: ['out'],
  nvmlDeviceGetHandleByIndex_v2: ['u32', 'out'],
  nvmlDeviceGetHandleByUUID: ['text', 'out'],
  nvmlDeviceGetName: DEVICE_TEXT,
  nvmlDeviceGetUUID: DEVICE_TEXT,
  nvmlDeviceGetSerial: DEVICE_TEXT,
  nvmlDeviceGetVbiosVersion: DEVICE_TEXT,
  nvmlDeviceGetMinorNumber: DEVICE_OUT,
  nvmlDeviceGetPciInfo_v3: DEVICE_OUT,
  nvmlDeviceGetArchitecture: DEVICE_OUT,
  nvmlDeviceGetCudaComputeCapability: DEVICE_TWO,
  nvmlDeviceGetMemoryInfo: DEVICE_OUT,
  nvmlDeviceGetMemoryInfo_v2: DEVICE_OUT,
  nvmlDeviceGetBAR1MemoryInfo: DEVICE_OUT,
  nvmlDeviceGetUtilizationRates: DEVICE_OUT,
  nvmlDeviceGetEncoderUtilization: DEVICE_TWO,
  nvmlDeviceGetDecoderUtilization: DEVICE_TWO,
  nvmlDeviceGetJpgUtilization: DEVICE_TWO,
  nvmlDeviceGetOfaUtilization: DEVICE_TWO,
  nvmlDeviceGetTemperature: DEVICE_CHOICE,
  nvmlDeviceGetTemperatureThreshold: DEVICE_CHOICE,
  nvmlDeviceGetPowerUsage: DEVICE_OUT,
  nvmlDeviceGetEnforcedPowerLimit: DEVICE_OUT,
  nvmlDeviceGetPowerManagementLimit: DEVICE_OUT,
  nvmlDeviceGetTotalEnergyConsumption: DEVICE_OUT,
  nvmlDeviceGetFanSpeed: DEVICE_OUT,
  nvmlDeviceGetClockInfo: DEVICE_CHOICE,
  nvmlDeviceGetMaxClockInfo: DEVICE_CHOICE,
  nvmlDeviceGetPerformanceState: DEVICE_OUT,
  nvmlDeviceGetCurrentClocksEventReasons: DEVICE_OUT,
  nvmlDeviceGetCurrentClocksThrottleReasons: DEVICE_OUT,
  nvmlDeviceGetCurrPcieLinkGeneration: DEVICE_OUT,
  nvmlDeviceGetCurrPcieLinkWidth: DEVICE_OUT,
  nvmlDeviceGetMaxPcieLinkGeneration: DEVICE_OUT,
  nvmlDeviceGetMaxPcieLinkWidth: DEVICE_OUT,
  nvmlDeviceGetPcieReplayCounter: DEVICE_OUT,
  nvmlDeviceGetTotalEccErrors: ['device', 'i32', 'i32', 'out'],
  nvmlDeviceGetEccMode: DEVICE_TWO,
  nvmlDeviceGetPersistenceMode: DEVICE_OUT,
  nvmlDeviceGetComputeMode: DEVICE_OUT,
  nvmlDeviceGetRemappedRows: ['device', 'out', 'out', 'out', 'out'],
  nvmlDeviceGetRetiredPagesPendingStatus: DEVICE_OUT,
  nvmlDeviceGetComputeRunningProcesses_v3: DEVICE_TWO,
  nvmlDeviceGetComputeRunningProcesses_v2: DEVICE_TWO,
  nvmlDeviceGetComputeRunningProcesses: DEVICE_TWO,
  nvmlDeviceGetGraphicsRunningProcesses_v3: DEVICE_TWO,
  nvmlDeviceGetGraphicsRunningProcesses_v2: DEVICE_TWO,
  nvmlDeviceGetGraphicsRunningProcesses: DEVICE_TWO,
  nvmlDeviceGetMPSComputeRunningProcesses_v3: DEVICE_TWO,
  nvmlDeviceGetMPSComputeRunningProcesses_v2: DEVICE_TWO,
  nvmlDeviceGetMPSComputeRunningProcesses: DEVICE_TWO,
  nvmlDeviceGetProcessUtilization: ['device', 'out', 'out', 'u64'],
  nvmlDeviceGetFieldValues: ['device', 'i32', 'out'],
  nvmlDeviceGetNumaNodeId: DEVICE_OUT,
  nvmlDeviceGetMigMode: DEVICE_TWO,
  nvmlDeviceGetMaxMigDeviceCount: DEVICE_OUT,
  nvmlDeviceGetMigDeviceHandleByIndex: ['device', 'u32', 'out'],
  nvmlDeviceGetGpuInstanceId: DEVICE_OUT,
  nvmlDeviceGetComputeInstanceId: DEVICE_OUT,
  nvmlDeviceGetAttributes_v2: DEVICE_OUT,
  nvmlEventSetCreate: ['out'],
  nvmlEventSetFree: ['handle'],
  nvmlDeviceGetSupportedEventTypes: DEVICE_OUT,
  nvmlDeviceRegisterEvents: ['device', 'u64', 'handle'],
  nvmlEventSetWait_v2: ['handle', 'out', 'u32'],
} as const satisfies Readonly<Record<string, readonly Parameter[]>>

export type NvmlFunction = keyof typeof PROTOTYPES

/** Never called; whether a driver exports them tells its process records apart. */
export const MARKER_SYMBOLS = {
  confidentialComputing: 'nvmlDeviceGetConfComputeMemSizeInfo',
  processDetails: 'nvmlDeviceGetRunningProcessDetailList',
} as const
