/** A GPU as its data sheet states it, without sparsity, and how well inference is known to use it. */
export interface GpuSpec {
  readonly name: string
  readonly aliases: readonly string[]
  /** As NVML reports it. */
  readonly memoryMiB: number
  readonly bandwidthGBs: number
  /** fp16 where there is no bf16. */
  readonly bf16Tflops: number
  readonly fp8Tflops: number | null
  readonly tdpWatts: number
  readonly link: {readonly kind: 'nvlink' | 'pcie'; readonly bidirectionalGBs: number}
  /** Share of the peak that dense matrix products reach (MFU). */
  readonly modelFlopsShare: number
}

const nvlink = (bidirectionalGBs: number): GpuSpec['link'] => ({kind: 'nvlink', bidirectionalGBs})
/** x16, both directions, as effective on the host. */
const pcie = (bidirectionalGBs: number): GpuSpec['link'] => ({kind: 'pcie', bidirectionalGBs})

/**
 * @see NVIDIA's data sheets of each product for memory, bandwidth, rates and power; inference-sim/inference-sim for the
 * shares of A100, H100 and L40S
 */
export const GPUS: readonly GpuSpec[] = [
  row('A100-80GB', ['A100', 'A100-SXM', 'A100-SXM4-80GB'], 81920, 2039, 312, null, 400, nvlink(600), 0.38),
  row('A100-PCIE-80GB', ['A100-PCIE', 'A100 80GB PCIe'], 81920, 1935, 312, null, 300, nvlink(600), 0.38),
  row('A100-40GB', ['A100-SXM4-40GB'], 40960, 1555, 312, null, 400, nvlink(600), 0.38),
  row(
    'H100',
    ['H100-SXM', 'H100-80GB', 'H100-SXM5', 'H100 80GB HBM3'],
    81559,
    3350,
    989,
    1979,
    700,
    nvlink(900),
    0.45,
  ),
  row('H100-PCIE', ['H100 PCIe'], 81559, 2000, 756, 1513, 350, nvlink(600), 0.45),
  row('H200', ['H200-SXM', 'H200-141GB'], 143771, 4800, 989, 1979, 700, nvlink(900), 0.45),
  row('B200', ['B200-SXM'], 183359, 8000, 2250, 4500, 1000, nvlink(1800), 0.45),
  row('L4', [], 23034, 300, 121, 242, 72, pcie(50), 0.35),
  row('L40S', [], 46068, 864, 362, 733, 350, pcie(50), 0.32),
  row('RTX-4090', ['RTX4090', 'GeForce RTX 4090', '4090'], 24564, 1008, 165, 330, 450, pcie(50), 0.5),
  row('A10', [], 23028, 600, 125, null, 150, pcie(50), 0.38),
  row('T4', ['Tesla T4'], 15360, 320, 65, null, 70, pcie(24), 0.3),
]

function row(
  name: string,
  aliases: readonly string[],
  memoryMiB: number,
  bandwidthGBs: number,
  bf16Tflops: number,
  fp8Tflops: number | null,
  tdpWatts: number,
  link: GpuSpec['link'],
  modelFlopsShare: number,
): GpuSpec {
  return {name, aliases, memoryMiB, bandwidthGBs, bf16Tflops, fp8Tflops, tdpWatts, link, modelFlopsShare}
}
