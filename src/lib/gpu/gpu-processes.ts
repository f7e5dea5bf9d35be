import type {Nvml, NvmlDevice, NvmlProcess, NvmlProcessKind} from '../../native/nvml.js'
import type {GpuProcess, UnavailableReason} from './gpu-look.js'
import {reasonOfError} from './unavailable.js'

const KINDS: readonly NvmlProcessKind[] = ['compute', 'graphics', 'mps']

/** Processes of a device, or why there are none to show. */
export type ProcessAnswer =
  | {readonly processes: readonly GpuProcess[]; readonly reason: null}
  | {readonly processes: null; readonly reason: UnavailableReason}

/** What each process had of the SMs; null where the device does not tell. */
export type SmUse = ReadonlyMap<number, number> | null

/**
 * Everybody with memory on a GPU or MIG device. Compute processes must be told; a driver without graphics or MPS lists has
 * none of those.
 */
export function readGpuProcesses(nvml: Nvml, device: NvmlDevice, smUse: SmUse): ProcessAnswer {
  const lists: [NvmlProcessKind, NvmlProcess[]][] = []
  for (const kind of KINDS) {
    try {
      lists.push([kind, nvml.processes(device, kind)])
    } catch (error) {
      const reason = reasonOfError(error)
      if (kind === 'compute' || reason === 'gpu_lost') return {processes: null, reason}
    }
  }
  return {processes: joinLists(lists, smUse), reason: null}
}

/**
 * One row for each process of a device, whatever lists it stands in. Lists of one device count the same memory, so the
 * largest figure stands for all.
 */
export function joinLists(
  lists: readonly (readonly [NvmlProcessKind, readonly NvmlProcess[]])[],
  smUse: SmUse,
): GpuProcess[] {
  const rows = new Map<number, GpuProcess>()
  for (const [kind, processes] of lists) {
    for (const process of processes) {
      const known = rows.get(process.pid)
      const bytes = [known?.usedBytes, process.usedBytes].filter(value => typeof value === 'number')
      rows.set(process.pid, {
        ...process,
        kinds: [...(known?.kinds ?? []), kind],
        usedBytes: bytes.length === 0 ? null : Math.max(...bytes),
        smPercent: smUse === null ? null : (smUse.get(process.pid) ?? 0),
      })
    }
  }
  return [...rows.values()].sort((one, two) => one.pid - two.pid)
}

/** Remembers how far each GPU's samples were read, so that each answer covers the time since the one before. */
export class SmUseReader {
  readonly #lastSeenUs = new Map<number, number>()

  /** @param index the GPU's */
  read(nvml: Nvml, device: NvmlDevice, index: number): SmUse {
    const since = this.#lastSeenUs.get(index) ?? 0
    try {
      const samples = nvml.processUtilization(device, since)
      const newest = new Map<number, {readonly atUs: number; readonly percent: number}>()
      for (const {pid, timeStamp, smUtil} of samples) {
        const atUs = timeStamp ?? 0
        // Above 100 is noise that some drivers leave in unused records.
        if (smUtil > 100 || atUs <= (newest.get(pid)?.atUs ?? since)) continue
        newest.set(pid, {atUs, percent: smUtil})
      }
      const last = Math.max(since, ...[...newest.values()].map(({atUs}) => atUs))
      this.#lastSeenUs.set(index, last)
      return new Map([...newest].map(([pid, {percent}]) => [pid, percent]))
    } catch (error) {
      reasonOfError(error)
      return null
    }
  }
}
