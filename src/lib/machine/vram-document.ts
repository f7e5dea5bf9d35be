import {decimals} from './decimals.js'
import type {MachineEngine, MachineLook} from './machine-look.js'
import {selectGpus, type SelectedGpu} from './select-gpus.js'
import {blockRunsOf, type BlockRuns} from './vram-blocks.js'
import type {NsightMetrics, VramDocument, VramDocument2} from './vram-json.js'
import {deviceOf, engineJson, processesOf} from './vram-rows.js'
import {warningsOf, withoutBlocks} from './vram-warnings.js'

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
