import {energyOfWindow, sumOfEnergies, type EnergySample, type WindowEnergy} from '../cost/index.js'
import {
  gpusOfServer,
  readTimeSeries,
  type PrometheusWindow,
  type RunDirectory,
  type RunResults,
} from '../runs/index.js'
import {prometheusEnergy} from './prometheus-figures.js'
import {ratio, rounded} from './rounding.js'
import type {WholeSpan} from './run-figures.js'

/** Energy of the GPUs that served, from the first send to the last end: as Prometheus saw them, else as this machine did. */
export async function readEnergy(
  run: RunDirectory,
  {startMs, endMs}: WholeSpan,
  prometheus: PrometheusWindow | null,
): Promise<WindowEnergy> {
  const seen = prometheus && prometheusEnergy(prometheus)
  if (seen && seen.joules !== null) return seen
  const byGpu = new Map<number, EnergySample[]>()
  for await (const {at_ms: atMs, gpus} of readTimeSeries(run)) {
    for (const gpu of gpusOfServer(gpus)) {
      // Power that the sampler added up is no counter; it is integrated here, over the run's own instants.
      const joules = gpu.energy_source === 'counter' ? (gpu.energy_joules ?? null) : null
      const samples = byGpu.get(gpu.index) ?? []
      samples.push({atMs, joules, watts: gpu.power_watts})
      byGpu.set(gpu.index, samples)
    }
  }
  if (startMs === null || endMs === null) return sumOfEnergies([])
  return sumOfEnergies([...byGpu.values()].map(samples => energyOfWindow(samples, startMs, endMs)))
}

/** What a run did with its energy. */
export interface EnergyWork {
  readonly successes: number
  readonly promptTokens: number | null
  readonly completionTokens: number | null
}

/** Upstream's flat keys and ours. @see Siryoos/kserve-vllm-mini:energy/collector.py — per 1,000 of all tokens */
export function energyFigures(energy: WindowEnergy, work: EnergyWork) {
  const {joules, source, coverage} = energy
  const wh = joules === null ? null : joules / 3600
  const tokens =
    work.promptTokens === null || work.completionTokens === null
      ? null
      : work.promptTokens + work.completionTokens
  const per1k = wh === null || tokens === null || tokens === 0 ? null : (wh / tokens) * 1000
  const measure = (value: number | null, unit: string) => ({unit, value: rounded(value)})
  return {
    flat: {
      energy_wh: rounded(wh),
      energy_wh_per_request: rounded(ratio(wh, work.successes)),
      energy_wh_per_1k_tokens: rounded(per1k),
    },
    own: {energy_source: source, energy_coverage: source === null ? null : rounded(coverage)},
    block: {
      energy_per_1k_tokens_wh: rounded(per1k),
      total_energy_wh: rounded(wh),
    } satisfies RunResults['energy'],
    metrics:
      joules === null
        ? {}
        : {
            energy_per_request: measure(ratio(joules, work.successes), 'J/request'),
            energy_per_output_token: measure(ratio(joules, work.completionTokens), 'J/token'),
            energy_per_token: measure(ratio(joules, tokens), 'J/token'),
            tokens_per_joule: measure(ratio(work.completionTokens, joules), 'tokens/J'),
          },
  }
}
