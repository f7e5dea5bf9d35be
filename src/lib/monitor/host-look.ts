import type {Verdict} from '../segments/index.js'
import type {ModelFigures} from './model-figures.js'
import type {TierFigures} from './tier-figures.js'

/** A KV-cache segment on the screen. Bytes are numbers here: what is written goes through `segments`, which is exact. */
export interface SegmentFigures {
  readonly name: string
  /** Null when a segment that was asked for by name is not there; so are all figures then. */
  readonly limitBytes: number | null
  readonly usedBytes: number | null
  readonly preallocBytes: number | null
  /** The first total seen; null when unknown. */
  readonly startupBytes: number | null
  readonly state: Verdict | 'missing'
  readonly stateReason: string
  readonly pid: number | null
  readonly owner: string | null
  readonly warnings: readonly string[]
}

/** A GPU on the screen; null is unknown. */
export interface DeviceFigures {
  /** `0`, or `0.1` for a MIG device. */
  readonly index: string
  readonly name: string | null
  readonly uuid: string | null
  readonly state: string
  readonly memoryTotalBytes: number | null
  readonly memoryUsedBytes: number | null
  readonly utilizationPercent: number | null
  readonly temperatureCelsius: number | null
  readonly powerWatts: number | null
  readonly powerLimitWatts: number | null
  /** Why clocks are below their maximum; `idle` alone is left out. */
  readonly throttleReasons: readonly string[] | null
  /** The last fault that the GPU reported. */
  readonly xid: number | null
}

/** A process with GPU memory, or one that owns a segment. */
export interface ProcessFigures {
  readonly pid: number
  /** Of the devices above; null where it holds no GPU memory. */
  readonly device: string | null
  readonly gpuBytes: number | null
  readonly smPercent: number | null
  readonly name: string | null
  readonly command: string | null
  readonly userId: number | null
  readonly containerId: string | null
  readonly podUid: string | null
  readonly segment: string | null
  /** URL of the engine that it works for. */
  readonly engine: string | null
  readonly model: string | null
}

/** An inference engine on the screen; null is unknown. */
export interface EngineFigures {
  readonly url: string
  readonly kind: 'vllm' | 'sglang' | 'kvctl' | null
  readonly model: string | null
  /** `silent`: something answers there, but not as an engine. */
  readonly state: 'ok' | 'asleep' | 'unreachable' | 'silent'
  /** When its figures were read; null when they never were. */
  readonly readAtMs: number | null
  readonly running: number | null
  readonly waiting: number | null
  /** Share of its KV blocks that requests hold, 0–100. */
  readonly kvUsagePercent: number | null
  /** Of prompt tokens found in the prefix cache since its start, 0–100. */
  readonly hitPercent: number | null
  /** Since its start. */
  readonly preemptions: number | null
  /** Over the last seconds; null before the second reading. */
  readonly promptTokensPerSecond: number | null
  readonly generationTokensPerSecond: number | null
  /** Mean of the requests whose first token came in the last seconds; null when none did. */
  readonly ttftMs: number | null
  readonly segment: string | null
  /** Of the devices above. */
  readonly devices: readonly string[]
  /** Of its processes, as far as they are known. */
  readonly pids: readonly number[]
  readonly weightsAndRuntimeBytes: number | null
  readonly kvReservedBytes: number | null
  readonly kvUsedBytes: number | null
  /** Kept for later requests, free to be taken. */
  readonly kvCachedFreeBytes: number | null
}

/** One machine at one moment. */
export interface HostLook {
  /** This machine's name, or the URL of a kvctl server. */
  readonly host: string
  /** When the segments were read; null when they never were. */
  readonly takenAtMs: number | null
  /** Why the figures are old; null when they are not. */
  readonly trouble: string | null
  readonly segments: readonly SegmentFigures[]
  readonly devices: readonly DeviceFigures[]
  /** Why there are no devices; null when there are, or when they have not been asked yet. */
  readonly devicesMissing: string | null
  readonly processes: readonly ProcessFigures[]
  readonly engines: readonly EngineFigures[]
  /** Of KV-cache workers. */
  readonly tiers: readonly TierFigures[]
  /** Behind a controller. */
  readonly models: readonly ModelFigures[]
}

/** Everything kvtop shows, at one moment: what is drawn, printed with --json, recorded and replayed. */
export interface MonitorLook {
  readonly takenAtMs: number
  readonly hosts: readonly HostLook[]
}
