import {formatSize} from '../lib/foundation/index.js'
import type {NsightJson, NsightProcessJson} from '../lib/nsight/index.js'

/** A block of lines for each process; what Nsight Compute did not tell is N/A. */
export function nsightSummary({processes}: NsightJson): string {
  return processes.map(block).join('\n\n')
}

function block(profile: NsightProcessJson): string {
  const {
    pid,
    name,
    launches,
    duration_ns: ns,
    threads_per_block_min: least,
    threads_per_block_max: most,
  } = profile
  const kernels = `${launches} ${launches === 1 ? 'kernel' : 'kernels'}`
  const range = least === most ? '' : ` in the longest kernel (${least} to ${most})`
  const show = (value: number | null, text: (value: number) => string): string =>
    value === null ? 'N/A' : text(value)
  const rows: readonly (readonly [string, string])[] = [
    ['atomic operations', show(profile.atomic_operations, String)],
    ['threads per block', show(profile.threads_per_block, value => `${value}${range}`)],
    ['blocks launched', show(profile.active_blocks, String)],
    ['occupancy', show(profile.occupancy, value => `${value.toFixed(2)} %`)],
    ['DRAM read', show(profile.dram_read_bytes, formatSize)],
    ['DRAM written', show(profile.dram_write_bytes, formatSize)],
    ['memory throughput', show(profile.memory_throughput, value => `${(value / 1e9).toFixed(1)} GB/s`)],
    ...Object.entries(profile.metrics).map(([metric, value]) => [metric, show(value, String)] as const),
  ]
  const width = Math.max(...rows.map(([title]) => title.length))
  const time = show(ns, value => `${(value / 1000).toFixed(1)} µs on the GPU`)
  return [
    `process ${pid} (${name}): ${kernels}, ${time}`,
    ...rows.map(([title, value]) => `  ${title.padEnd(width)}  ${value}`),
  ].join('\n')
}
