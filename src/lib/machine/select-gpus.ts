import {findGpu, type MigLook} from '../gpu/index.js'
import type {GpuTenant, TenantsLook} from './gpu-tenants.js'

type Gpu = TenantsLook['gpus'][number]

/** A whole GPU, or one MIG device of it. */
export interface SelectedGpu {
  readonly gpu: Gpu
  readonly part: (Omit<MigLook, 'processes'> & {readonly processes: readonly GpuTenant[] | null}) | null
}

/**
 * Pure: the GPUs that a user named.
 *
 * @param wanted `all`, or indexes, `GPU-…` and `MIG-…` UUIDs with commas between them
 * @returns each once, in the order of indexes; none where there is no driver or no GPU
 * @throws ResourceError `GPU_NOT_FOUND`
 */
export function selectGpus(look: TenantsLook, wanted: string): SelectedGpu[] {
  const {driver, gpus} = look
  if (driver.state !== 'ok' || gpus.length === 0) return []
  const names = wanted.split(',').map(name => name.trim())
  if (names.includes('all')) return gpus.map(gpu => ({gpu, part: null}))
  const found = new Set(names.map(name => findGpu(look, name) as unknown))
  return gpus.flatMap((gpu): SelectedGpu[] => {
    if (found.has(gpu)) return [{gpu, part: null}]
    return gpu.migDevices.filter(part => found.has(part)).map(part => ({gpu, part}))
  })
}
