import type {GpuLook, GpusLook} from '../gpu/index.js'

/** vllm-chill's document; a figure that a GPU does not tell is 0, with the reason in `unavailable`. */
export interface StatsDocument {
  readonly timestamp: string
  readonly gpus: readonly StatsGpu[]
}

export interface StatsGpu {
  readonly index: number
  readonly name: string
  readonly uuid: string
  readonly utilization_percent: number
  /** MiB, rounded down. */
  readonly memory_used_mb: number
  readonly memory_total_mb: number
  /** The fill level: of the two whole MiB above, not rounded. */
  readonly memory_util_percent: number
  readonly temperature_c: number
  readonly power_draw_w: number
  /** As an administrator set it. */
  readonly power_limit_w: number
  readonly fan_speed_percent: number
  readonly encoder_util_percent: number
  readonly decoder_util_percent: number
  /** Absent where the GPU tells all of it. */
  readonly unavailable?: Readonly<Record<string, string>>
}

const MIB = 2 ** 20

/**
 * Pure: GPUs as vllm-chill shows them, those that cannot be read left out; or what it says instead.
 *
 * @see efortin/vllm-chill:pkg/stats/gpu_stats.go
 */
export function statsDocument(look: GpusLook): StatsDocument | {readonly error: string} {
  const why = failureOf(look)
  if (why !== null) return {error: `Failed to query GPU: ${why}`}
  return {
    timestamp: new Date(look.takenAtMs).toISOString(),
    gpus: look.gpus.filter(({state}) => state === 'ok').map(statsGpu),
  }
}

function failureOf({driver, gpus}: GpusLook): string | null {
  if (driver.state !== 'ok') {
    const [, text] = /^nvmlDeviceGetCount\w*: .*?: (.*)$/.exec(driver.problem ?? '') ?? []
    return text === undefined ? 'NVML not initialized' : `failed to get device count: ${text}`
  }
  if (gpus.length === 0) return 'no GPUs found'
  return gpus.some(({state}) => state === 'ok') ? null : 'failed to query any GPUs'
}

/** Our names of the figures behind each field. */
const SOURCES = {
  name: 'name',
  uuid: 'uuid',
  utilization_percent: 'utilizationPercent',
  memory_used_mb: 'memoryUsedWithReservedBytes',
  memory_total_mb: 'memoryTotalBytes',
  memory_util_percent: 'memoryTotalBytes',
  temperature_c: 'temperatureCelsius',
  power_draw_w: 'powerWatts',
  power_limit_w: 'powerLimitWatts',
  fan_speed_percent: 'fanPercent',
  encoder_util_percent: 'encoderPercent',
  decoder_util_percent: 'decoderPercent',
} as const satisfies Record<string, keyof GpuLook>

function statsGpu(gpu: GpuLook): StatsGpu {
  const usedMb = Math.floor((gpu.memoryUsedWithReservedBytes ?? 0) / MIB)
  const totalMb = Math.floor((gpu.memoryTotalBytes ?? 0) / MIB)
  const missing = Object.entries(SOURCES).filter(([, figure]) => gpu[figure] === null)
  return {
    index: gpu.index,
    name: gpu.name ?? '',
    uuid: gpu.uuid ?? '',
    utilization_percent: gpu.utilizationPercent ?? 0,
    memory_used_mb: usedMb,
    memory_total_mb: totalMb,
    memory_util_percent: totalMb === 0 ? 0 : (usedMb / totalMb) * 100,
    temperature_c: gpu.temperatureCelsius ?? 0,
    power_draw_w: gpu.powerWatts ?? 0,
    power_limit_w: gpu.powerLimitWatts ?? 0,
    fan_speed_percent: gpu.fanPercent ?? 0,
    encoder_util_percent: gpu.encoderPercent ?? 0,
    decoder_util_percent: gpu.decoderPercent ?? 0,
    ...(missing.length > 0 && {
      unavailable: Object.fromEntries(
        missing.map(([field, figure]) => [field, gpu.unavailable[figure] ?? 'no_data']),
      ),
    }),
  }
}
