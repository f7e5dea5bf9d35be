import {explainDriver, type GpuLook, type MigLook} from '../gpu/index.js'
import type {GpuTenant, TenantsLook} from '../machine/index.js'
import type {OwnedLook, SegmentsLook} from '../segments/index.js'
import type {DeviceFigures, HostLook, ProcessFigures, SegmentFigures} from './host-look.js'

/** Pure: segments as the screen has them; those asked for by name that are not there come last. */
export function segmentFigures({looks, missing}: SegmentsLook): SegmentFigures[] {
  return [
    ...looks.map(look => figuresOfSegment(look)),
    ...missing.map(({name, reason}) => ({
      ...{name, limitBytes: null, usedBytes: null, preallocBytes: null, startupBytes: null},
      ...{state: 'missing' as const, stateReason: reason.message, pid: null, owner: null, warnings: []},
    })),
  ]
}

function figuresOfSegment({name, record, startupBytes, state, isSettled}: OwnedLook): SegmentFigures {
  const warnings = state.warnings.map(({message}) => message)
  return {
    name,
    limitBytes: Number(record.limitBytes),
    usedBytes: Number(record.usedBytes),
    preallocBytes: Number(record.preallocBytes),
    startupBytes: startupBytes === null ? null : Number(startupBytes),
    state: state.verdict,
    stateReason: state.because,
    pid: state.pid,
    owner: state.owner,
    warnings: isSettled ? warnings : [...warnings, 'another process keeps its lock; the figures may mix'],
  }
}

/** Pure: GPUs as the screen has them, MIG devices below theirs. @param look null before the first answer */
export function deviceFigures(look: TenantsLook | null): Pick<HostLook, 'devices' | 'devicesMissing'> {
  if (look === null) return {devices: [], devicesMissing: null}
  const trouble = explainDriver(look.driver)
  if (trouble) return {devices: [], devicesMissing: trouble.message}
  const devices = look.gpus.flatMap(gpu => [
    figuresOfGpu(gpu),
    ...gpu.migDevices.map(part => figuresOfMig(gpu.index, part)),
  ])
  return {devices, devicesMissing: devices.length > 0 ? null : 'the NVIDIA driver runs, but has no GPU'}
}

function figuresOfGpu(gpu: Omit<GpuLook, 'processes' | 'migDevices'>): DeviceFigures {
  return {
    index: `${gpu.index}`,
    name: gpu.name,
    uuid: gpu.uuid,
    state: gpu.state,
    memoryTotalBytes: gpu.memoryTotalBytes,
    memoryUsedBytes: gpu.memoryUsedBytes ?? gpu.memoryUsedWithReservedBytes,
    utilizationPercent: gpu.utilizationPercent,
    temperatureCelsius: gpu.temperatureCelsius,
    powerWatts: gpu.powerWatts,
    powerLimitWatts: gpu.enforcedPowerLimitWatts ?? gpu.powerLimitWatts,
    throttleReasons: gpu.throttleReasons?.filter(reason => reason !== 'idle') ?? null,
    xid: gpu.xids?.at(-1)?.xid ?? null,
  }
}

function figuresOfMig(parent: number, part: Omit<MigLook, 'processes'>): DeviceFigures {
  return {
    ...{index: `${parent}.${part.index}`, name: part.name, uuid: part.uuid, state: 'ok'},
    memoryTotalBytes: part.memoryTotalBytes,
    memoryUsedBytes: part.memoryUsedBytes ?? part.memoryUsedWithReservedBytes,
    ...{utilizationPercent: null, temperatureCelsius: null, powerWatts: null, powerLimitWatts: null},
    ...{throttleReasons: null, xid: null},
  }
}

/** Pure: processes on GPUs, then the owners of segments that are on none. */
export function processFigures(
  look: TenantsLook | null,
  segments: readonly SegmentFigures[],
): ProcessFigures[] {
  const tenants = (look?.gpus ?? []).flatMap(gpu => [
    ...(gpu.migDevices.length > 0 ? [] : tenantsOn(`${gpu.index}`, gpu.processes)),
    ...gpu.migDevices.flatMap(part => tenantsOn(`${gpu.index}.${part.index}`, part.processes)),
  ])
  const onGpus = new Set(tenants.map(({pid}) => pid))
  const owners = segments.flatMap(({name, pid, owner}) =>
    pid === null || onGpus.has(pid) ? [] : [ownerOf(pid, owner, name)],
  )
  return [...tenants, ...owners]
}

function tenantsOn(device: string, tenants: readonly GpuTenant[] | null): ProcessFigures[] {
  return (tenants ?? []).map(
    ({pid, usedBytes, smPercent, name, command, userId, containerId, podUid, segment}) => ({
      ...{pid, device, gpuBytes: usedBytes, smPercent},
      ...{name, command, userId, containerId, podUid, segment},
    }),
  )
}

function ownerOf(pid: number, command: string | null, segment: string): ProcessFigures {
  const name = command?.split(' ')[0]?.split('/').at(-1) ?? null
  return {
    ...{pid, device: null, gpuBytes: null, smPercent: null},
    ...{name, command, userId: null, containerId: null, podUid: null, segment},
  }
}
