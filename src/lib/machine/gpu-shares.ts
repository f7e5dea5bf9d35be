import type {GpuTenant, TenantsLook} from './gpu-tenants.js'
import type {MemoryPart} from './engine-memory.js'
import type {GpuShares, MachineEngine} from './machine-look.js'

type Gpu = TenantsLook['gpus'][number]

/** Pure: the processes of a GPU by engine, and what is left over. */
export function gpuShares(gpu: Gpu, engines: readonly Pick<MachineEngine, 'url' | 'gpuPids'>[]): GpuShares {
  const {index, processes, unavailable, memoryReservedBytes: reservedBytes} = gpu
  const reserved: MemoryPart =
    reservedBytes === null
      ? {bytes: null, basis: null, from: unavailable['memoryReservedBytes'] ?? 'no_data'}
      : {bytes: reservedBytes, basis: 'measured', from: 'NVML'}
  if (processes === null) {
    const part = {bytes: null, basis: null, from: unavailable['processes'] ?? 'no_data'}
    return {index, engines: [], otherProcesses: part, reserved, unattributed: part}
  }
  const bytesOf = (rows: readonly GpuTenant[]): number =>
    rows.reduce((sum, {usedBytes}) => sum + (usedBytes ?? 0), 0)
  const owners = engines
    .map(({url, gpuPids}) => ({url, rows: processes.filter(({pid}) => gpuPids.includes(pid))}))
    .filter(({rows}) => rows.length > 0)
  const owned = new Set(owners.flatMap(({rows}) => rows))
  const others = processes.filter(row => !owned.has(row))
  return {
    index,
    engines: owners.map(({url, rows}) => ({url, bytes: bytesOf(rows)})),
    otherProcesses: others.some(({usedBytes}) => usedBytes === null)
      ? {bytes: null, basis: null, from: 'the driver does not tell the memory of each process'}
      : {bytes: bytesOf(others), basis: 'measured', from: 'NVML'},
    reserved,
    unattributed: unattributed(gpu, processes),
  }
}

function unattributed(gpu: Gpu, processes: readonly GpuTenant[]): MemoryPart {
  if (processes.some(({usedBytes}) => usedBytes === null))
    return {bytes: null, basis: null, from: 'the driver does not tell the memory of each process'}
  const held = processes.reduce((sum, {usedBytes}) => sum + usedBytes!, 0)
  const {memoryUsedBytes: used, memoryUsedWithReservedBytes: usedWithReserved} = gpu
  if (used !== null) return {bytes: Math.max(0, used - held), basis: 'derived', from: 'used − processes'}
  if (usedWithReserved === null)
    return {bytes: null, basis: null, from: gpu.unavailable['memoryUsedBytes'] ?? 'no_data'}
  const from = 'used with reserved − processes: this driver does not tell what it reserves'
  return {bytes: Math.max(0, usedWithReserved - held), basis: 'derived', from}
}
