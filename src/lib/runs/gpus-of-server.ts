import type {TimeSample} from './time-series.js'

export type GpuSample = NonNullable<TimeSample['gpus']>[number]

/** The GPUs that a look says are the server's; where it cannot tell, all of the machine. */
export function gpusOfServer(gpus: readonly GpuSample[] | undefined): readonly GpuSample[] {
  const known = (gpus ?? []).filter(({serves}) => serves === true)
  return known.length > 0 ? known : (gpus ?? []).filter(({serves}) => serves !== false)
}

/** Over those that tell; null when none does. */
export function sumOfGpus(
  gpus: readonly GpuSample[],
  value: (gpu: GpuSample) => number | null,
): number | null {
  const known = gpus.map(value).filter(part => part !== null)
  return known.length === 0 ? null : known.reduce((sum, part) => sum + part, 0)
}

export function meanOfGpus(
  gpus: readonly GpuSample[],
  value: (gpu: GpuSample) => number | null,
): number | null {
  const known = gpus.map(value).filter(part => part !== null)
  return known.length === 0 ? null : known.reduce((sum, part) => sum + part, 0) / known.length
}
