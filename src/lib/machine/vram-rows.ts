import {decimals} from './decimals.js'
import {blockCounts, type MemoryPart} from './engine-memory.js'
import type {GpuTenant} from './gpu-tenants.js'
import type {MachineEngine, MachineLook} from './machine-look.js'
import type {SelectedGpu} from './select-gpus.js'
import type {VramDevice, VramEngine, VramProcess} from './vram-json.js'

/** Pure: the processes of one GPU, or of a part of it. */
export function processesOf({gpu, part}: SelectedGpu): VramProcess[] {
  const device = part ?? gpu
  return (device.processes ?? []).map(row => processJson(row, gpu.index, device.uuid))
}

const LETTERS = {compute: 'C', graphics: 'G', mps: 'M'} as const

function processJson(row: GpuTenant, index: number, uuid: string | null): VramProcess {
  const {pid, name, usedBytes, kinds, command, userId, containerId, podUid, segment, role} = row
  const bytes = usedBytes ?? 0
  return {
    pid,
    name: name ?? 'unknown',
    used_bytes: bytes,
    reserved_bytes: bytes,
    gpu_index: index,
    gpu_uuid: uuid,
    type: kinds.map(kind => LETTERS[kind]).join('+'),
    command,
    user_id: userId,
    container_id: containerId,
    pod_uid: podUid,
    segment,
    engine_role:
      role === null ? null : `${role.engine} ${role.role}${role.rank === null ? '' : ` ${role.rank}`}`,
    unavailable: {
      ...(usedBytes === null && {used_bytes: 'no_data', reserved_bytes: 'no_data'}),
      ...(row.unidentified !== null && {name: row.unidentified}),
    },
  }
}

/** Pure: one GPU, or one part of it; what it does not give is null with its reason. */
export function deviceOf({gpu, part}: SelectedGpu, {shares}: MachineLook): VramDevice {
  const device = part ?? gpu
  const own = part === null ? shares.find(({index}) => index === gpu.index) : undefined
  return {
    index: gpu.index,
    uuid: device.uuid,
    name: device.name,
    mig: part !== null,
    state: gpu.state,
    total_bytes: device.memoryTotalBytes,
    used_bytes: device.memoryUsedWithReservedBytes,
    free_bytes: device.memoryFreeBytes,
    reserved_bytes: device.memoryUsedWithReservedBytes,
    program_used_bytes: device.memoryUsedBytes,
    driver_reserved_bytes: device.memoryReservedBytes,
    utilization_percent: part === null ? gpu.utilizationPercent : null,
    temperature_c: gpu.temperatureCelsius,
    power_draw_w: gpu.powerWatts,
    enforced_power_limit_w: gpu.enforcedPowerLimitWatts,
    throttle_reasons: gpu.throttleReasons,
    xid: gpu.xids?.at(-1)?.xid ?? null,
    memory: own
      ? {
          engines: own.engines,
          other_processes: own.otherProcesses,
          driver_reserved: own.reserved,
          unattributed: own.unattributed,
        }
      : null,
    mig_devices: part === null ? gpu.migDevices.map(migJson) : [],
    unavailable: {
      ...reasonsOf(device.unavailable, FIGURES_OF_ANY),
      // NVML has no utilisation of a part.
      ...(part !== null && {utilization_percent: 'not_supported'}),
      ...reasonsOf(gpu.unavailable, FIGURES_OF_GPU),
    },
  }
}

/** Fields, and the figures they come from: those that a part has too, and those of a whole GPU. */
const FIGURES_OF_ANY = {
  uuid: 'uuid',
  name: 'name',
  total_bytes: 'memoryTotalBytes',
  used_bytes: 'memoryUsedWithReservedBytes',
  free_bytes: 'memoryFreeBytes',
  reserved_bytes: 'memoryUsedWithReservedBytes',
  program_used_bytes: 'memoryUsedBytes',
  driver_reserved_bytes: 'memoryReservedBytes',
}
const FIGURES_OF_GPU = {
  utilization_percent: 'utilizationPercent',
  temperature_c: 'temperatureCelsius',
  power_draw_w: 'powerWatts',
  enforced_power_limit_w: 'enforcedPowerLimitWatts',
  throttle_reasons: 'throttleReasons',
  xid: 'xids',
}

/** Why fields are null. */
function reasonsOf(
  unavailable: Readonly<Record<string, string>>,
  figures: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(figures).flatMap(([field, figure]) =>
      figure in unavailable ? [[field, unavailable[figure]!]] : [],
    ),
  )
}

function migJson(part: NonNullable<SelectedGpu['part']>): VramDevice['mig_devices'][number] {
  return {
    index: part.index,
    uuid: part.uuid,
    name: part.name,
    total_bytes: part.memoryTotalBytes,
    used_bytes: part.memoryUsedWithReservedBytes,
    free_bytes: part.memoryFreeBytes,
  }
}

/** Pure: one engine; what it does not tell is null. */
export function engineJson(engine: MachineEngine): VramEngine {
  const {pools, block, memory, figures} = engine
  const blocks = blockCounts(pools)
  const queries = figures?.prefixCacheQueries ?? 0
  return {
    url: engine.url,
    source: engine.source,
    state: engine.state,
    kind: engine.kind,
    model: engine.model,
    segment: engine.segment,
    pids: engine.gpuPids,
    gpus: engine.gpuIndexes,
    time: engine.readAtMs === null ? null : new Date(engine.readAtMs).toISOString(),
    allocated_blocks: blocks.total,
    utilized_blocks: blocks.used,
    cached_free_blocks: blocks.cachedFree,
    block_tokens: pools[0]?.blockTokens ?? null,
    block_bytes: block?.bytes ?? null,
    block_bytes_source: block?.source ?? null,
    asleep: engine.isAsleep,
    kv_usage_percent: figures?.kvCacheUsage == null ? null : decimals(100 * figures.kvCacheUsage, 2),
    requests_running: figures?.running ?? null,
    requests_waiting: figures?.waiting ?? null,
    prefix_cache_hit_percent:
      queries === 0 ? null : decimals((100 * (figures!.prefixCacheHits ?? 0)) / queries, 2),
    preemptions: figures?.preemptions ?? null,
    prompt_tokens: figures?.promptTokens ?? null,
    generation_tokens: figures?.generationTokens ?? null,
    first_tokens: figures?.firstTokens ?? null,
    first_token_seconds: figures?.firstTokenSeconds ?? null,
    memory: {
      total: memory.total,
      weights_and_runtime: memory.weightsAndRuntime,
      kv_reserved: memory.kvReserved,
      kv_used: memory.kvUsed,
      kv_cached_free: memory.kvCachedFree,
      kv_free: memory.kvFree,
    } satisfies Record<string, MemoryPart>,
  }
}
