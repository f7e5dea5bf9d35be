import type {VramDocument} from '../machine/index.js'
import type {SegmentJson} from '../segments/index.js'
import type {EngineCounters, EngineRates} from './engine-rates.js'
import {joinedWith, ownersBeside} from './figures-of.js'
import type {DeviceFigures, EngineFigures, HostLook, SegmentFigures} from './host-look.js'

/** Exact integers arrive as numbers, rounded beyond 2^53. */
export type OverHttp<T> = {
  readonly [Name in keyof T]: Exclude<T[Name], bigint> | (bigint extends T[Name] ? number : never)
}

/** Pure: a segment of `GET /segments`. */
export function figuresOfRemoteSegment(segment: OverHttp<SegmentJson>): SegmentFigures {
  return {
    name: segment.ipc,
    limitBytes: segment.limit_bytes,
    usedBytes: segment.used_bytes,
    preallocBytes: segment.prealloc_bytes,
    startupBytes: segment.startup_bytes,
    state: segment.state,
    stateReason: segment.state_reason,
    pid: segment.pid,
    owner: segment.owner,
    warnings: segment.warnings.map(({message}) => message),
  }
}

/** Pure: what `GET /vram` says of GPUs, engines and processes. @param document null before its first answer */
export function figuresOfVram(
  document: VramDocument | null,
  segments: readonly SegmentFigures[],
  rates: (url: string) => EngineRates,
): Pick<HostLook, 'devices' | 'devicesMissing' | 'processes' | 'engines'> {
  if (document === null) {
    const processes = joinedWith([], ownersBeside([], segments))
    return {devices: [], devicesMissing: null, processes, engines: []}
  }
  const devices = document.devices.flatMap(devicesOf)
  const engines = document.engines.map(engine => engineOf(engine, rates(engine.url)))
  const indexes = new Map(devices.flatMap(({uuid, index}) => (uuid === null ? [] : [[uuid, index] as const])))
  const tenants = document.processes.map(row => ({
    pid: row.pid,
    device: indexes.get(row.gpu_uuid ?? '') ?? `${row.gpu_index}`,
    gpuBytes: 'used_bytes' in row.unavailable ? null : row.used_bytes,
    smPercent: null,
    name: 'name' in row.unavailable ? null : row.name,
    ...{command: row.command, userId: row.user_id, containerId: row.container_id, podUid: row.pod_uid},
    segment: row.segment,
  }))
  const [warning] = document.warnings
  return {
    devices,
    devicesMissing: devices.length > 0 ? null : (warning?.message ?? 'the server has no GPU'),
    processes: joinedWith(engines, [...tenants, ...ownersBeside(tenants, segments)]),
    engines,
  }
}

type Device = VramDocument['devices'][number]
type Engine = VramDocument['engines'][number]

function devicesOf(device: Device): DeviceFigures[] {
  const parts = device.mig_devices.map(part => ({
    ...{index: `${device.index}.${part.index}`, name: part.name, uuid: part.uuid, state: 'ok'},
    ...{memoryTotalBytes: part.total_bytes, memoryUsedBytes: part.used_bytes},
    ...{utilizationPercent: null, temperatureCelsius: null, powerWatts: null, powerLimitWatts: null},
    ...{throttleReasons: null, xid: null},
  }))
  const whole = {
    index: `${device.index}`,
    ...{name: device.name, uuid: device.uuid, state: device.state},
    memoryTotalBytes: device.total_bytes,
    memoryUsedBytes: device.program_used_bytes ?? device.used_bytes,
    utilizationPercent: device.utilization_percent,
    temperatureCelsius: device.temperature_c,
    powerWatts: device.power_draw_w,
    powerLimitWatts: device.enforced_power_limit_w,
    throttleReasons: device.throttle_reasons?.filter(reason => reason !== 'idle') ?? null,
    xid: device.xid,
  }
  return [whole, ...parts]
}

function engineOf(engine: Engine, rates: EngineRates): EngineFigures {
  const {url, kind, model, segment, memory} = engine
  return {
    ...{url, kind, model, segment},
    state: engine.asleep === true ? 'asleep' : engine.state,
    readAtMs: engine.time === null ? null : Date.parse(engine.time),
    running: engine.requests_running,
    waiting: engine.requests_waiting,
    kvUsagePercent: engine.kv_usage_percent,
    hitPercent: engine.prefix_cache_hit_percent,
    preemptions: engine.preemptions,
    ...rates,
    devices: engine.gpus.map(String),
    pids: engine.pids,
    weightsAndRuntimeBytes: memory.weights_and_runtime.bytes,
    kvReservedBytes: memory.kv_reserved.bytes,
    kvUsedBytes: memory.kv_used.bytes,
    kvCachedFreeBytes: memory.kv_cached_free.bytes,
  }
}

/** Pure: what the engines of such a document have counted, by their URL. */
export function countersOfVram({engines}: VramDocument): ReadonlyMap<string, EngineCounters> {
  return new Map(
    engines.flatMap(engine =>
      engine.time === null
        ? []
        : [
            [
              engine.url,
              {
                readAtMs: Date.parse(engine.time),
                promptTokens: engine.prompt_tokens,
                generationTokens: engine.generation_tokens,
                firstTokens: engine.first_tokens,
                firstTokenSeconds: engine.first_token_seconds,
              },
            ],
          ],
    ),
  )
}
