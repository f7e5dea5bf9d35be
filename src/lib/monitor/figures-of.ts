import {explainDriver, type GpuLook, type MigLook} from '../gpu/index.js'
import type {GpuTenant, MachineEngine, TenantsLook} from '../machine/index.js'
import type {OwnedLook, SegmentsLook} from '../segments/index.js'
import type {EngineRates} from './engine-rates.js'
import type {DeviceFigures, EngineFigures, HostLook, ProcessFigures, SegmentFigures} from './host-look.js'

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

/** Pure: engines that answer, or that the user named. @param rates of the engine at a URL */
export function engineFigures(
  engines: readonly MachineEngine[],
  rates: (url: string) => EngineRates,
): EngineFigures[] {
  return engines
    .filter(({state, source}) => state === 'ok' || source === 'configured')
    .map(engine => figuresOfEngine(engine, rates(engine.url)))
}

function figuresOfEngine(engine: MachineEngine, rates: EngineRates): EngineFigures {
  const {url, kind, model, readAtMs, figures, segment, gpuIndexes, pids, memory} = engine
  const queries = figures?.prefixCacheQueries ?? 0
  const usage = figures?.kvCacheUsage ?? null
  return {
    ...{url, kind, model, readAtMs, segment, pids},
    state: engine.isAsleep === true ? 'asleep' : engine.state,
    running: figures?.running ?? null,
    waiting: figures?.waiting ?? null,
    kvUsagePercent: usage === null ? null : usage * 100,
    hitPercent: queries === 0 ? null : ((figures?.prefixCacheHits ?? 0) / queries) * 100,
    preemptions: figures?.preemptions ?? null,
    ...rates,
    devices: gpuIndexes.map(String),
    weightsAndRuntimeBytes: memory.weightsAndRuntime.bytes,
    kvReservedBytes: memory.kvReserved.bytes,
    kvUsedBytes: memory.kvUsed.bytes,
    kvCachedFreeBytes: memory.kvCachedFree.bytes,
  }
}

/** Pure: processes on GPUs, then the owners of segments that are on none; each with the engine that it works for. */
export function processFigures(
  look: TenantsLook | null,
  segments: readonly SegmentFigures[],
  engines: readonly EngineFigures[],
): ProcessFigures[] {
  const tenants = (look?.gpus ?? []).flatMap(gpu => [
    ...(gpu.migDevices.length > 0 ? [] : tenantsOn(`${gpu.index}`, gpu.processes)),
    ...gpu.migDevices.flatMap(part => tenantsOn(`${gpu.index}.${part.index}`, part.processes)),
  ])
  return joinedWith(engines, [...tenants, ...ownersBeside(tenants, segments)])
}

type Unjoined = Omit<ProcessFigures, 'engine' | 'model'>

/** Pure: processes with the engine that each works for. */
export function joinedWith(
  engines: readonly EngineFigures[],
  processes: readonly Unjoined[],
): ProcessFigures[] {
  const byPid = new Map(engines.flatMap(engine => engine.pids.map(pid => [pid, engine] as const)))
  const bySegment = new Map(engines.map(engine => [engine.segment, engine] as const))
  return processes.map(process => {
    const bySegmentToo = process.segment === null ? undefined : bySegment.get(process.segment)
    const engine = byPid.get(process.pid) ?? bySegmentToo
    return {...process, engine: engine?.url ?? null, model: engine?.model ?? null}
  })
}

/** Pure: owners of segments that are not among `tenants`. */
export function ownersBeside(tenants: readonly Unjoined[], segments: readonly SegmentFigures[]): Unjoined[] {
  const onGpus = new Set(tenants.map(({pid}) => pid))
  return segments.flatMap(({name, pid, owner}) =>
    pid === null || onGpus.has(pid) ? [] : [ownerOf(pid, owner, name)],
  )
}

function tenantsOn(device: string, tenants: readonly GpuTenant[] | null): Unjoined[] {
  return (tenants ?? []).map(
    ({pid, usedBytes, smPercent, name, command, userId, containerId, podUid, segment}) => ({
      ...{pid, device, gpuBytes: usedBytes, smPercent},
      ...{name, command, userId, containerId, podUid, segment},
    }),
  )
}

function ownerOf(pid: number, command: string | null, segment: string): Unjoined {
  const name = command?.split(' ')[0]?.split('/').at(-1) ?? null
  return {
    ...{pid, device: null, gpuBytes: null, smPercent: null},
    ...{name, command, userId: null, containerId: null, podUid: null, segment},
  }
}
