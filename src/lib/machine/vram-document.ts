import {explainDriver} from '../gpu/index.js'
import {blockCounts, type MemoryPart} from './engine-memory.js'
import type {GpuTenant} from './gpu-tenants.js'
import type {MachineEngine, MachineLook} from './machine-look.js'
import {selectGpus, type SelectedGpu} from './select-gpus.js'
import {blockRunsOf, type BlockRuns} from './vram-blocks.js'
import type {
  NsightMetrics,
  VramDevice,
  VramDocument,
  VramDocument2,
  VramEngine,
  VramProcess,
  VramWarning,
} from './vram-json.js'

/** The document without its list of blocks, which may be long, and what that list would say. */
export interface VramAnswer {
  readonly document: VramDocument
  readonly blocks: BlockRuns
}

/**
 * Pure: Blackbox's document of a look; sums over the GPUs that were chosen.
 *
 * @param wanted as {@link selectGpus} takes it
 * @throws ResourceError `GPU_NOT_FOUND`
 */
export function vramDocument(look: MachineLook, wanted: string): VramAnswer {
  const selected = selectGpus(look.gpus, wanted)
  const {total, used, free, unavailable: withoutMemory} = memoryOf(look, selected)
  const engines = enginesOf(look, selected)
  const processes = selected.flatMap(one => processesOf(one))
  const held = processes.reduce((sum, {used_bytes: bytes}) => sum + bytes, 0)
  const runs = blockRunsOf(engines, processes)
  return {
    blocks: runs,
    document: {
      total_bytes: total,
      used_bytes: used,
      free_bytes: free,
      reserved_bytes: used,
      used_percent: total === 0 ? 0 : decimals((100 * used) / total, 2),
      allocated_blocks: runs.allocated,
      utilized_blocks: runs.utilized,
      free_blocks: runs.allocated - runs.utilized,
      atomic_allocations_bytes: held === 0 ? used : held,
      fragmentation_ratio: total === 0 ? 0 : decimals(1 - free / total, 4),
      processes,
      threads: [],
      blocks: [],
      nsight_metrics: Object.fromEntries(processes.map(({pid}) => [String(pid), NOT_PROFILED])),
      time: new Date(look.takenAtMs).toISOString(),
      block_size_source: runs.sizeSource,
      devices: selected.map(one => deviceOf(one, look)),
      engines: engines.map(engineJson),
      unavailable: {...withoutMemory, ...withoutBlocks(engines)},
      warnings: warningsOf(look, selected, engines),
    },
  }
}

/** Pure: what newer revisions of Blackbox answer. @throws ResourceError `GPU_NOT_FOUND` */
export function vramDocument2(look: MachineLook, wanted: string): VramDocument2 {
  const selected = selectGpus(look.gpus, wanted)
  const {total, used, unavailable} = memoryOf(look, selected)
  const engines = enginesOf(look, selected).filter(({state}) => state === 'ok')
  const models = engines.map(({url, model, memory}) => {
    const {port, protocol} = new URL(url)
    const allocated = memory.total.bytes ?? 0
    const kv = memory.kvUsed.bytes ?? 0
    return {
      model_id: model ?? url,
      port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
      allocated_vram_bytes: allocated,
      used_kv_cache_bytes: memory.total.bytes === null ? kv : Math.min(kv, allocated),
    }
  })
  const sumOf = (read: (engine: MachineEngine) => number | null | undefined): number =>
    engines.reduce((sum, engine) => sum + (read(engine) ?? 0), 0)
  const queries = sumOf(({figures}) => figures?.prefixCacheQueries)
  const hits = sumOf(({figures}) => figures?.prefixCacheHits)
  return {
    total_vram_bytes: total,
    allocated_vram_bytes: used,
    used_kv_cache_bytes: models.reduce((sum, {used_kv_cache_bytes: bytes}) => sum + bytes, 0),
    prefix_cache_hit_rate: queries === 0 ? 0 : decimals((100 * hits) / queries, 2),
    models,
    unavailable: {
      ...(unavailable['total_bytes'] !== undefined && {total_vram_bytes: unavailable['total_bytes']}),
      ...(unavailable['used_bytes'] !== undefined && {allocated_vram_bytes: unavailable['used_bytes']}),
      ...(queries === 0 && {prefix_cache_hit_rate: engines.length === 0 ? 'no_engine' : 'no_data'}),
    },
    warnings: warningsOf(look, selected, engines),
  }
}

const NOT_PROFILED: NsightMetrics = {
  atomic_operations: 0,
  threads_per_block: 0,
  occupancy: 0,
  active_blocks: 0,
  memory_throughput: 0,
  dram_read_bytes: 0,
  dram_write_bytes: 0,
  available: false,
  reason: 'not started under Nsight Compute: kvctl nsight -- COMMAND does',
}

const MEMORY_FIELDS = ['total_bytes', 'used_bytes', 'free_bytes', 'reserved_bytes'] as const
const RATIO_FIELDS = ['used_percent', 'fragmentation_ratio'] as const

/** The older call's figures, which Blackbox shows: used includes what the driver reserves. */
function memoryOf(
  {gpus: {driver}}: MachineLook,
  selected: readonly SelectedGpu[],
): {total: number; used: number; free: number; unavailable: Record<string, string>} {
  let [total, used, free] = [0, 0, 0]
  let reason: string | null = selected.length > 0 ? null : driver.state === 'ok' ? 'no_gpu' : driver.state
  for (const {gpu, part} of selected) {
    const device = part ?? gpu
    total += device.memoryTotalBytes ?? 0
    used += device.memoryUsedWithReservedBytes ?? 0
    free += device.memoryFreeBytes ?? 0
    if (device.memoryTotalBytes === null) reason = device.unavailable['memoryTotalBytes'] ?? 'no_data'
  }
  const fields = reason === null ? [] : [...MEMORY_FIELDS, ...RATIO_FIELDS]
  return {total, used, free, unavailable: Object.fromEntries(fields.map(field => [field, reason!]))}
}

/** Engines that answer, or that the user named, on the chosen GPUs or on none that is known. */
function enginesOf({gpus, engines}: MachineLook, selected: readonly SelectedGpu[]): readonly MachineEngine[] {
  const indexes = new Set(selected.map(({gpu}) => gpu.index))
  const isEverything = selected.length === gpus.gpus.length
  return engines.filter(
    ({state, source, gpuIndexes}) =>
      (state === 'ok' || source === 'configured') &&
      (isEverything || gpuIndexes.length === 0 || gpuIndexes.some(index => indexes.has(index))),
  )
}

function processesOf({gpu, part}: SelectedGpu): VramProcess[] {
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

function deviceOf({gpu, part}: SelectedGpu, {shares}: MachineLook): VramDevice {
  const device = part ?? gpu
  const own = part === null ? shares.find(({index}) => index === gpu.index) : undefined
  const {unavailable} = device
  const why = (...names: readonly [field: string, figure: string][]): Record<string, string> =>
    Object.fromEntries(
      names.flatMap(([field, figure]) => (figure in unavailable ? [[field, unavailable[figure]!]] : [])),
    )
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
      ...why(
        ['uuid', 'uuid'],
        ['name', 'name'],
        ['total_bytes', 'memoryTotalBytes'],
        ['used_bytes', 'memoryUsedWithReservedBytes'],
        ['free_bytes', 'memoryFreeBytes'],
        ['reserved_bytes', 'memoryUsedWithReservedBytes'],
        ['program_used_bytes', 'memoryUsedBytes'],
        ['driver_reserved_bytes', 'memoryReservedBytes'],
      ),
      ...whyOfGpu(gpu, part !== null),
    },
  }
}

function whyOfGpu({unavailable}: SelectedGpu['gpu'], isPart: boolean): Record<string, string> {
  const figures = [
    ['utilization_percent', 'utilizationPercent'],
    ['temperature_c', 'temperatureCelsius'],
    ['power_draw_w', 'powerWatts'],
  ] as const
  const reasons = figures.flatMap(([field, figure]) =>
    figure in unavailable ? [[field, unavailable[figure]!]] : [],
  )
  // NVML has no utilisation of a part.
  return {...(isPart && {utilization_percent: 'not_supported'}), ...(Object.fromEntries(reasons) as object)}
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

function engineJson(engine: MachineEngine): VramEngine {
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
    requests_running: figures?.running ?? null,
    requests_waiting: figures?.waiting ?? null,
    prefix_cache_hit_percent:
      queries === 0 ? null : decimals((100 * (figures!.prefixCacheHits ?? 0)) / queries, 2),
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

function withoutBlocks(engines: readonly MachineEngine[]): Record<string, string> {
  const answering = engines.filter(({state}) => state === 'ok')
  const isUnknown = answering.some(({pools}) => blockCounts(pools).total === null)
  const reason = answering.length === 0 ? 'no_engine' : isUnknown ? 'not_told_by_engine' : null
  if (reason === null) return {}
  return {allocated_blocks: reason, utilized_blocks: reason, free_blocks: reason}
}

function warningsOf(
  {gpus}: MachineLook,
  selected: readonly SelectedGpu[],
  engines: readonly MachineEngine[],
): VramWarning[] {
  const trouble = explainDriver(gpus.driver)
  const warnings: VramWarning[] = []
  if (trouble) warnings.push({code: trouble.code, message: trouble.message})
  else if (gpus.gpus.length === 0)
    warnings.push({code: 'GPU_NOT_FOUND', message: 'the NVIDIA driver runs, but has no GPU'})
  for (const {gpu} of selected) {
    if (gpu.state !== 'ok')
      warnings.push({code: 'GPU_UNREADABLE', message: `GPU ${gpu.index} is ${gpu.state}`})
  }
  for (const {url, state, pools} of engines) {
    if (state !== 'ok')
      warnings.push({
        code: 'ENGINE_UNREACHABLE',
        message: state === 'silent' ? `${url} shows no metrics of an engine` : `${url} does not answer`,
      })
    else if (blockCounts(pools).total === null)
      warnings.push({code: 'BLOCKS_UNKNOWN', message: `${url} does not tell how many KV blocks it has`})
  }
  return warnings
}

/** As printf's `%.Nf`, as a number. */
function decimals(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
