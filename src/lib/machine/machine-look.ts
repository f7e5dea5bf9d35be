import type {OwnedLook} from '../segments/index.js'
import type {BlockBytes} from './block-bytes.js'
import type {EngineLook} from './engine-look.js'
import type {EngineMemory, MemoryPart} from './engine-memory.js'
import type {TenantsLook} from './gpu-tenants.js'

/** An engine, and what of this machine is its own. */
export interface MachineEngine extends EngineLook {
  readonly segment: string | null
  /** Its processes with memory on a GPU. */
  readonly gpuPids: readonly number[]
  /** Indexes of the GPUs on which they have it. */
  readonly gpuIndexes: readonly number[]
  readonly block: BlockBytes | null
  readonly memory: EngineMemory
}

/** Who holds the memory of one GPU. */
export interface GpuShares {
  readonly index: number
  /** By the URL of the engine. */
  readonly engines: readonly {readonly url: string; readonly bytes: number}[]
  readonly otherProcesses: MemoryPart
  /** By driver and firmware. */
  readonly reserved: MemoryPart
  /** In use by nobody that is seen: processes of other namespaces, leaked contexts. */
  readonly unattributed: MemoryPart
}

/** This host at one moment: which process, segment, GPU and engine belong together. */
export interface MachineLook {
  readonly takenAtMs: number
  readonly gpus: TenantsLook
  readonly segments: readonly OwnedLook[]
  readonly engines: readonly MachineEngine[]
  readonly shares: readonly GpuShares[]
}
