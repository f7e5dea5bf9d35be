/**
 * Metrics by what they are asked for; names that exist on Turing, Ampere, Ada and Hopper.
 *
 * @see https://docs.nvidia.com/nsight-compute/ProfilingGuide/ — "Metrics Decoder"
 */
export const METRICS = {
  /** Warp-level instructions. */
  atomics: 'smsp__sass_inst_executed_op_atom.sum',
  blockSize: 'launch__block_size',
  gridSize: 'launch__grid_size',
  occupancy: 'sm__warps_active.avg.pct_of_peak_sustained_active',
  read: 'dram__bytes_read.sum',
  write: 'dram__bytes_write.sum',
  duration: 'gpu__time_duration.sum',
} as const

export const BASE_METRICS: readonly string[] = Object.values(METRICS)
