/** What a GPU's product name says, however it is written. */
export interface GpuName {
  /** Model words without vendor and form factor, such as `A100`, `L40S` or `RTX 4090`. */
  readonly family: string
  /** Null when the name does not say. */
  readonly memoryGb: number | null
  /** A slice of the GPU, such as `1g.5gb`; null for a whole one. */
  readonly migProfile: string | null
}

const VENDORS = new Set(['NVIDIA', 'AMD', 'TESLA', 'GEFORCE', 'INSTINCT', 'GPU'])
const FORM_FACTOR = /^(?:SXM\d*|PCIE|HBM\d*E?)$/
const MEMORY = /^(\d+)GI?B$/
/** `1g.5gb`, a compute instance of a part `1c.3g.40gb`, `1g.10gb+me`, and Kubernetes' spelling of the latter, `1g.10gb.me`. */
const MIG_PROFILE = /(?:^|[\s_-])(?:MIG[\s_-])?((?:\d+C\.)?\d+G\.\d+GB)(?:[+.]ME)?$/i

/**
 * Reads product names as NVML, Kubernetes node labels and price files write them: `NVIDIA-A100-SXM4-80GB`,
 * `NVIDIA A100 80GB PCIe`, `nvidia-tesla-a100-80gb`, `NVIDIA-A100-SXM4-40GB-MIG-1g.5gb`.
 *
 * @see NVIDIA/k8s-device-plugin:internal/lm/resource.go — the label `nvidia.com/gpu.product`
 */
export function parseGpuName(name: string): GpuName {
  const trimmed = name.trim()
  const mig = MIG_PROFILE.exec(trimmed)
  const words = trimmed
    .slice(0, mig?.index ?? trimmed.length)
    .toUpperCase()
    .replaceAll(/(\d)\s+(GI?B)\b/g, '$1$2')
    .split(/[\s_/-]+/)
    .filter(word => word !== '' && !VENDORS.has(word) && !FORM_FACTOR.test(word))
  const memory = words.map(word => MEMORY.exec(word)?.[1]).find(digits => digits !== undefined)
  return {
    family: words.filter(word => !MEMORY.test(word)).join(' '),
    memoryGb: memory === undefined ? null : Number(memory),
    migProfile: mig?.[1]!.toLowerCase() ?? null,
  }
}

/**
 * Compute slices that a MIG profile holds, of how many the GPU has: 7, but 4 on A30 and RTX PRO 6000, 2 on RTX PRO 5000 and
 * 4500.
 *
 * @see https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-gpus.html — most instances of each product
 */
export function migShare(family: string, migProfile: string): {readonly slices: number; readonly of: number} {
  const of = FEWER_SLICES.find(([product]) => product.test(family))?.[1] ?? 7
  return {slices: Math.min(of, Number.parseInt(migProfile, 10)), of}
}

const FEWER_SLICES: readonly (readonly [RegExp, number])[] = [
  [/^A30$/, 4],
  [/^RTX PRO 6000\b/, 4],
  [/^RTX PRO (?:5000|4500)\b/, 2],
]
