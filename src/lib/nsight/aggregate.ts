import {METRICS} from './metrics.js'
import type {KernelLaunch} from './read-page.js'

/** What a process's profiled kernels did together; null where no launch tells. */
export interface ProcessProfile {
  readonly pid: number
  readonly name: string
  readonly launches: number
  /** Time of all launches on the GPU. */
  readonly durationNs: number | null
  readonly atomicOperations: number | null
  /** Of the longest launch. */
  readonly threadsPerBlock: number | null
  readonly threadsPerBlockMin: number | null
  readonly threadsPerBlockMax: number | null
  /** Blocks launched, of all launches. */
  readonly activeBlocks: number | null
  /** Mean over time: warps on an SM while it is active, of those that fit. */
  readonly occupancyPercent: number | null
  readonly dramReadBytes: number | null
  readonly dramWriteBytes: number | null
  readonly memoryThroughputBytesPerSecond: number | null
  /** Of metrics beyond ours: their sums, by name. */
  readonly more: Readonly<Record<string, number | null>>
  /** Metrics asked for that no launch has. */
  readonly missing: readonly string[]
}

/**
 * Pure: adds up launches by process. Counts and bytes are sums; occupancy = Σ(occupancy · duration) / Σ duration; throughput =
 * (read + write) / Σ duration.
 *
 * @param asked every metric that was asked for
 */
export function profileProcesses(
  launches: readonly KernelLaunch[],
  asked: readonly string[],
): ProcessProfile[] {
  const byPid = new Map<number, KernelLaunch[]>()
  for (const launch of launches) byPid.set(launch.pid, [...(byPid.get(launch.pid) ?? []), launch])
  return [...byPid].map(([pid, own]) => profileOf(pid, own, asked))
}

function profileOf(pid: number, launches: readonly KernelLaunch[], asked: readonly string[]): ProcessProfile {
  const valuesOf = (metric: string): number[] =>
    launches.map(({metrics}) => metrics[metric] ?? null).filter(value => value !== null)
  const sumOf = (metric: string): number | null => {
    const values = valuesOf(metric)
    return values.length === 0 ? null : values.reduce((total, value) => total + value, 0)
  }
  const durationNs = sumOf(METRICS.duration)
  const [read, write] = [sumOf(METRICS.read), sumOf(METRICS.write)]
  const sizes = valuesOf(METRICS.blockSize)
  const own = new Set<string>(Object.values(METRICS))
  return {
    pid,
    name: launches[0]!.processName,
    launches: launches.length,
    durationNs,
    atomicOperations: sumOf(METRICS.atomics),
    threadsPerBlock: longest(launches)?.metrics[METRICS.blockSize] ?? null,
    threadsPerBlockMin: sizes.length === 0 ? null : Math.min(...sizes),
    threadsPerBlockMax: sizes.length === 0 ? null : Math.max(...sizes),
    activeBlocks: sumOf(METRICS.gridSize),
    occupancyPercent: meanOverTime(launches),
    dramReadBytes: read,
    dramWriteBytes: write,
    memoryThroughputBytesPerSecond:
      read === null || write === null || !durationNs ? null : ((read + write) / durationNs) * 1e9,
    more: Object.fromEntries(asked.filter(metric => !own.has(metric)).map(metric => [metric, sumOf(metric)])),
    missing: asked.filter(metric => valuesOf(metric).length === 0),
  }
}

/** Where durations are missing, the first launch with a block size. */
function longest(launches: readonly KernelLaunch[]): KernelLaunch | undefined {
  const sized = launches.filter(({metrics}) => typeof metrics[METRICS.blockSize] === 'number')
  const durationOf = (launch: KernelLaunch): number => launch.metrics[METRICS.duration] ?? 0
  return sized.reduce<KernelLaunch | undefined>(
    (best, launch) => (best === undefined || durationOf(launch) > durationOf(best) ? launch : best),
    undefined,
  )
}

function meanOverTime(launches: readonly KernelLaunch[]): number | null {
  let [weighted, totalNs] = [0, 0]
  for (const {metrics} of launches) {
    const [percent, ns] = [metrics[METRICS.occupancy] ?? null, metrics[METRICS.duration] ?? null]
    if (percent === null || ns === null) continue
    weighted += percent * ns
    totalNs += ns
  }
  return totalNs === 0 ? null : weighted / totalNs
}
