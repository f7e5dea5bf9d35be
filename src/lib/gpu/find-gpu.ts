import {ResourceError} from '../foundation/index.js'
import {explainDriver} from './driver-state.js'
import type {GpuLook, GpusLook, MigLook} from './gpu-look.js'

/**
 * The GPU or MIG device that a user named.
 *
 * @param wanted an NVML index, a `GPU-…` or a `MIG-…` UUID
 * @throws ResourceError `NVML_UNAVAILABLE`, `GPU_NOT_FOUND`
 */
export function findGpu({driver, gpus}: GpusLook, wanted: string): GpuLook | MigLook {
  const trouble = explainDriver(driver)
  if (trouble) throw trouble
  const isIndex = /^\d+$/.test(wanted)
  const uuid = wanted.toLowerCase()
  const found = isIndex
    ? gpus.find(({index}) => index === Number(wanted))
    : gpus.flatMap(gpu => [gpu, ...gpu.migDevices]).find(device => device.uuid?.toLowerCase() === uuid)
  if (found) return found
  const known = gpus.map(({index, uuid: name}) => (name === null ? `${index}` : `${index} (${name})`))
  throw new ResourceError(
    'GPU_NOT_FOUND',
    known.length === 0
      ? `there is no GPU '${wanted}': the driver runs without any`
      : `there is no GPU '${wanted}'; there are ${known.join(', ')}`,
    {suggestions: ['kvctl gpus']},
  )
}
