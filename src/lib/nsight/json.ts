import type {NsightReport} from './run-nsight.js'

/** The figures of Blackbox's `nsight_metrics` under its names, and more; null where Nsight Compute did not tell. */
export interface NsightProcessJson {
  readonly pid: number
  readonly name: string
  readonly launches: number
  readonly duration_ns: number | null
  readonly atomic_operations: number | null
  readonly threads_per_block: number | null
  readonly threads_per_block_min: number | null
  readonly threads_per_block_max: number | null
  /** Percent. */
  readonly occupancy: number | null
  readonly active_blocks: number | null
  /** Bytes per second. */
  readonly memory_throughput: number | null
  readonly dram_read_bytes: number | null
  readonly dram_write_bytes: number | null
  readonly metrics: Readonly<Record<string, number | null>>
  readonly missing: readonly string[]
}

export interface NsightJson {
  readonly processes: readonly NsightProcessJson[]
  readonly ended: number | string
  readonly warnings: readonly string[]
}

export function nsightJson({processes, ended, warnings}: NsightReport): NsightJson {
  return {
    processes: processes.map(profile => ({
      pid: profile.pid,
      name: profile.name,
      launches: profile.launches,
      duration_ns: profile.durationNs,
      atomic_operations: profile.atomicOperations,
      threads_per_block: profile.threadsPerBlock,
      threads_per_block_min: profile.threadsPerBlockMin,
      threads_per_block_max: profile.threadsPerBlockMax,
      occupancy: profile.occupancyPercent,
      active_blocks: profile.activeBlocks,
      memory_throughput: profile.memoryThroughputBytesPerSecond,
      dram_read_bytes: profile.dramReadBytes,
      dram_write_bytes: profile.dramWriteBytes,
      metrics: profile.more,
      missing: profile.missing,
    })),
    ended,
    warnings,
  }
}
