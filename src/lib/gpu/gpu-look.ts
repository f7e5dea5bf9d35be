import type {NvmlProcessKind} from '../../native/nvml.js'

/** Why a figure is null. */
export type UnavailableReason =
  /** This GPU, or its MIG mode, has no such thing. */
  | 'not_supported'
  | 'no_permission'
  /** The GPU fell off the bus. */
  | 'gpu_lost'
  /** This driver's library does not export the function. */
  | 'no_symbol'
  /** The GPU sleeps, and asking would wake it. */
  | 'asleep'
  /** Whoever looks does not show it, so the driver was not asked. */
  | 'not_asked'
  /** The driver answered that it does not know. */
  | 'no_data'
  /** The driver did not answer within the sampler's patience, or took its process down. */
  | 'driver_hung'
  /** Another failure of the driver. */
  | 'driver_error'

/** Reasons by the name of the figure that is null. */
export type Unavailable = Readonly<Record<string, UnavailableReason>>

/** What stays the same while a driver runs. */
export interface GpuIdentity {
  readonly name: string | null
  /** `GPU-…` */
  readonly uuid: string | null
  readonly serial: string | null
  readonly vbiosVersion: string | null
  /** `00000000:3B:00.0` */
  readonly pciBusId: string | null
  /** N of `/dev/nvidiaN`. */
  readonly minorNumber: number | null
  /** `ampere`, `hopper` …, or the number of one that is newer than kvctl. */
  readonly architecture: string | null
  /** `9.0` */
  readonly computeCapability: string | null
  readonly numaNode: number | null
  readonly maxSmClockMhz: number | null
  readonly maxMemoryClockMhz: number | null
  readonly maxPcieGeneration: number | null
  readonly maxPcieWidth: number | null
  readonly shutdownCelsius: number | null
  readonly slowdownCelsius: number | null
}

/** Memory as the two generations of NVML's call tell it; neither is derived from the other. */
export interface MemoryFigures {
  readonly memoryTotalBytes: number | null
  readonly memoryFreeBytes: number | null
  /** With what driver and firmware reserve: the older call. */
  readonly memoryUsedWithReservedBytes: number | null
  /** What programs hold, as nvidia-smi shows it: the newer call, branch 510 and later. */
  readonly memoryUsedBytes: number | null
  readonly memoryReservedBytes: number | null
}

/** What changes from look to look. Percentages are 0 to 100 as the driver gives them, fans may pass 100. */
export interface GpuActivity extends MemoryFigures {
  readonly bar1TotalBytes: number | null
  readonly bar1UsedBytes: number | null
  /** Time in which a kernel ran. */
  readonly utilizationPercent: number | null
  /** Time in which memory was read or written; not its fill. */
  readonly memoryAccessPercent: number | null
  readonly encoderPercent: number | null
  readonly decoderPercent: number | null
  readonly jpegPercent: number | null
  readonly opticalFlowPercent: number | null
  readonly temperatureCelsius: number | null
  readonly memoryTemperatureCelsius: number | null
  /** Mean of the last second on Ampere and newer except GA100, else momentary. */
  readonly powerWatts: number | null
  readonly powerInstantWatts: number | null
  /** Since the driver was loaded; falls when it is loaded anew. */
  readonly energyJoules: number | null
  /** The GPU's own counter, or power added up from look to look since sampling began. */
  readonly energySource: 'counter' | 'integrated_power' | null
  readonly fanPercent: number | null
  readonly graphicsClockMhz: number | null
  readonly smClockMhz: number | null
  readonly memoryClockMhz: number | null
  readonly videoClockMhz: number | null
  /** 0 (fastest) to 15. */
  readonly performanceState: number | null
  /** Why clocks are below their maximum; `idle` alone is normal. */
  readonly throttleReasons: readonly string[] | null
  readonly powerCapThrottleNs: number | null
  readonly syncBoostThrottleNs: number | null
  readonly softwareThermalThrottleNs: number | null
  readonly hardwareThermalThrottleNs: number | null
  readonly powerBrakeThrottleNs: number | null
  /** Counters that wrap around. */
  readonly pcieSentBytes: number | null
  readonly pcieReceivedBytes: number | null
  readonly nvlinkSentBytes: number | null
  readonly nvlinkReceivedBytes: number | null
}

/** What changes seldom and is read every few seconds. */
export interface GpuHealth {
  /** As an administrator set it. */
  readonly powerLimitWatts: number | null
  /** The lowest of all limits. */
  readonly enforcedPowerLimitWatts: number | null
  readonly pcieGeneration: number | null
  readonly pcieWidth: number | null
  readonly pcieReplays: number | null
  readonly isEccEnabled: boolean | null
  /** Since the driver was loaded. */
  readonly eccCorrected: number | null
  readonly eccUncorrected: number | null
  readonly eccCorrectedLifetime: number | null
  readonly eccUncorrectedLifetime: number | null
  readonly remappedRowsCorrected: number | null
  readonly remappedRowsUncorrected: number | null
  readonly isRowRemapPending: boolean | null
  readonly hasRowRemapFailed: boolean | null
  readonly isPageRetirementPending: boolean | null
  readonly recoveryAction: string | null
  readonly isPersistent: boolean | null
  /** `default`, `prohibited` or `exclusive_process`. */
  readonly computeMode: string | null
  readonly isMigEnabled: boolean | null
}

/** All figures of a GPU; each null one has its reason in `unavailable`. */
export type GpuFigures = GpuIdentity & GpuActivity & GpuHealth

/** A process with memory on a GPU. */
export interface GpuProcess {
  /** As the host numbers it. */
  readonly pid: number
  readonly kinds: readonly NvmlProcessKind[]
  /** Null where the platform does not say. */
  readonly usedBytes: number | null
  /** Null outside MIG. */
  readonly gpuInstanceId: number | null
  readonly computeInstanceId: number | null
  /** Share of the SMs' time since the look before; null where the GPU does not tell (as under MIG). */
  readonly smPercent: number | null
}

/** A part of a GPU in MIG mode. Temperature, power and clocks are the whole GPU's. */
export interface MigLook extends MemoryFigures {
  readonly index: number
  readonly name: string | null
  /** `MIG-…` */
  readonly uuid: string | null
  readonly gpuInstanceId: number | null
  readonly computeInstanceId: number | null
  readonly multiprocessors: number | null
  readonly processes: readonly GpuProcess[] | null
  readonly unavailable: Unavailable
}

/** A fault that the GPU reported, by NVIDIA's number. */
export interface XidEvent {
  readonly xid: number
  readonly seenAtMs: number
}

/** One GPU at one moment. */
export interface GpuLook extends GpuFigures {
  /** NVML's index, which follows the PCI bus and is not a CUDA ordinal. */
  readonly index: number
  readonly state: 'ok' | 'lost' | 'asleep' | 'hung' | 'failed'
  /** Under MIG, those of its parts. */
  readonly processes: readonly GpuProcess[] | null
  /** Empty outside MIG. */
  readonly migDevices: readonly MigLook[]
  /** The last ones since sampling began; null where the GPU reports none. */
  readonly xids: readonly XidEvent[] | null
  readonly unavailable: Unavailable
}

/** The driver as a whole, and what is wrong with it. */
export interface DriverLook {
  readonly state:
    | 'ok'
    | 'no_library'
    | 'not_loaded'
    | 'version_mismatch'
    | 'no_permission'
    /** Code 999: in containers, often the device nodes were taken away. */
    | 'unreachable'
    | 'hung'
    | 'crashed'
    | 'failed'
  /** What the library said; null when all is well. */
  readonly problem: string | null
  readonly driverVersion: string | null
  readonly nvmlVersion: string | null
  /** The newest CUDA it serves, such as `12.4`. */
  readonly cudaVersion: string | null
}

/** All GPUs at one moment. */
export interface GpusLook {
  readonly takenAtMs: number
  readonly tookMs: number
  readonly driver: DriverLook
  readonly gpus: readonly GpuLook[]
}
