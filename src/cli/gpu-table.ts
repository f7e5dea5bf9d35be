import {formatSize} from '../lib/foundation/index.js'
import type {GpuLook, MigLook} from '../lib/gpu/index.js'
import type {GpuTenant, TenantsLook} from '../lib/machine/index.js'
import {alignColumns, type Column} from './align-columns.js'

type Row = readonly string[]

const GPU_COLUMNS: readonly Column[] = [
  ['GPU', 'left'],
  ['Name', 'left'],
  ['Used', 'right'],
  ['Reserved', 'right'],
  ['Total', 'right'],
  ['Util', 'right'],
  ['Temp', 'right'],
  ['Power', 'right'],
  ['State', 'left'],
]
const PROCESS_COLUMNS: readonly Column[] = [
  ['GPU', 'left'],
  ['PID', 'right'],
  ['Kind', 'left'],
  ['Used', 'right'],
  ['SM', 'right'],
  ['Segment', 'left'],
  ['Name', 'left'],
]

/**
 * One line for each GPU, its MIG devices below it, then one for each process. What is unknown is N/A.
 *
 * @returns lines without a trailing newline
 */
export function gpuTable({gpus}: TenantsLook): string {
  const devices = gpus.flatMap(gpu => [gpuRow(gpu), ...gpu.migDevices.map(part => migRow(gpu, part))])
  const processes = gpus.flatMap(gpu => [
    ...(gpu.migDevices.length > 0 ? [] : processRows(`${gpu.index}`, gpu.processes)),
    ...gpu.migDevices.flatMap(part => processRows(`${gpu.index}.${part.index}`, part.processes)),
  ])
  const lines = alignColumns(GPU_COLUMNS, devices)
  if (processes.length > 0) lines.push('', ...alignColumns(PROCESS_COLUMNS, processes))
  return lines.join('\n')
}

function gpuRow(gpu: GpuLook): Row {
  return [
    `${gpu.index}`,
    gpu.name ?? 'N/A',
    // Drivers before branch 510 know only the sum of used and reserved.
    bytes(gpu.memoryUsedBytes ?? gpu.memoryUsedWithReservedBytes),
    bytes(gpu.memoryReservedBytes),
    bytes(gpu.memoryTotalBytes),
    unit(gpu.utilizationPercent, '%'),
    unit(gpu.temperatureCelsius, '°C'),
    gpu.powerWatts === null ? 'N/A' : `${Math.round(gpu.powerWatts)} W`,
    stateOf(gpu),
  ]
}

function migRow(gpu: GpuLook, part: MigLook): Row {
  return [
    `${gpu.index}.${part.index}`,
    part.name ?? 'N/A',
    bytes(part.memoryUsedBytes ?? part.memoryUsedWithReservedBytes),
    bytes(part.memoryReservedBytes),
    bytes(part.memoryTotalBytes),
    'N/A',
    'N/A',
    'N/A',
    'ok',
  ]
}

function stateOf({state, xids}: GpuLook): string {
  const last = xids?.at(-1)
  return last === undefined ? state : `${state}, Xid ${last.xid}`
}

function processRows(gpu: string, processes: readonly GpuTenant[] | null): Row[] {
  return (processes ?? []).map(({pid, kinds, usedBytes, smPercent, segment, name}) => [
    gpu,
    `${pid}`,
    kinds.join('+'),
    bytes(usedBytes),
    unit(smPercent, '%'),
    segment ?? '-',
    name ?? 'N/A',
  ])
}

const bytes = (value: number | null): string => (value === null ? 'N/A' : formatSize(BigInt(value)))
const unit = (value: number | null, name: string): string => (value === null ? 'N/A' : `${value} ${name}`)
