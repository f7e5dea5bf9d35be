import type {GpuLook, GpuProcess, GpusLook, MigLook} from '../gpu/index.js'
import type {IdentityWatch} from '../processes/index.js'
import type {OwnedLook} from '../segments/index.js'
import {engineRoleOf, type EngineRole} from './process-role.js'

/** A process on a GPU, and who it is. */
export interface GpuTenant extends GpuProcess {
  readonly name: string | null
  readonly command: string | null
  readonly userId: number | null
  /** Clock ticks after the machine's start: tells it from a later process with the same pid. */
  readonly startTicks: number | null
  /** Null also where it runs in none. */
  readonly containerId: string | null
  readonly podUid: string | null
  /** What it does within an engine; null for other programs too. */
  readonly role: EngineRole | null
  /** The segment that it owns, if any. */
  readonly segment: string | null
  /** Why the figures above are null: the driver's pids mean nothing in this container, or it has ended. */
  readonly unidentified: 'pid_namespace' | 'process_gone' | null
}

type WithTenants<Device> = Omit<Device, 'processes'> & {readonly processes: readonly GpuTenant[] | null}

/** A look at all GPUs whose processes are known by name. */
export interface TenantsLook extends GpusLook {
  readonly gpus: readonly (WithTenants<Omit<GpuLook, 'migDevices'>> & {
    readonly migDevices: readonly WithTenants<MigLook>[]
  })[]
}

/** Names that only the process itself has, all unknown. */
const NOBODY = {
  name: null,
  command: null,
  userId: null,
  startTicks: null,
  containerId: null,
  podUid: null,
}

/** Joins the processes of GPUs with who they are and with the segments they own. */
export async function identifyTenants(
  look: GpusLook,
  segments: readonly OwnedLook[],
  watch: IdentityWatch,
): Promise<TenantsLook> {
  const pids = new Set(look.gpus.flatMap(({processes}) => processes ?? []).map(({pid}) => pid))
  const identities = await watch.of(pids)
  const tenant = (process: GpuProcess): GpuTenant => {
    const identity = identities?.get(process.pid) ?? null
    const reason = identities === null ? 'pid_namespace' : 'process_gone'
    const owned = segments.find(({state}) => state.pid === process.pid)
    return {
      ...process,
      ...(identity ?? NOBODY),
      role: engineRoleOf(identity?.command ?? null),
      segment: identity === null ? null : (owned?.name ?? null),
      unidentified: identity === null ? reason : null,
    }
  }
  const withTenants = <Device extends {readonly processes: readonly GpuProcess[] | null}>(
    device: Device,
  ) => ({
    ...device,
    processes: device.processes?.map(tenant) ?? null,
  })
  return {
    ...look,
    gpus: look.gpus.map(gpu => ({...withTenants(gpu), migDevices: gpu.migDevices.map(withTenants)})),
  }
}
