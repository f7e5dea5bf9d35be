import {endOfRamp} from '../bench/index.js'
import type {ExportedRun} from './exported-run.js'

/** How the share of a ramp's time follows from a rate, by our pattern, under vLLM's name of it. */
const STRATEGIES = {
  ramp: {name: 'linear', share: linear},
  'ramp-linear': {name: 'linear', share: linear},
  'ramp-exp': {
    name: 'exponential',
    share: (rate: number, from: number, to: number) => Math.log(rate / from) / Math.log(to / from),
  },
} as const

/**
 * Keys that a ramp adds to vLLM's result; none without one. `rps_change_events` tells when each whole number of requests a
 * second was reached, ISO 8601 in local time.
 *
 * @see vllm-project/vllm:vllm/benchmarks/serve.py — _get_current_request_rate, rps_change_events
 */
export function rampKeys({meta, results, epochMs}: ExportedRun): Record<string, unknown> {
  const {pattern, target_rps: mean, requests} = meta
  if (meta.mode !== 'open' || mean === null || requests === null || !isRamp(pattern)) return {}
  const {name, share} = STRATEGIES[pattern]
  const from = (meta.plan as {ramp_from_per_second?: number} | null)?.ramp_from_per_second ?? 0
  const to = endOfRamp(pattern, from, mean)
  const startMs = (results.measure_window?.start_seconds ?? 0) * 1000
  const [least, most] = [Math.ceil(Math.min(from, to)), Math.floor(Math.max(from, to))]
  const rates = Array.from({length: Math.max(0, most - least + 1)}, (_, at) => least + at)
  return {
    ramp_up_strategy: name,
    ramp_up_start_rps: from,
    ramp_up_end_rps: to,
    rps_change_events: (to < from ? rates.reverse() : rates).map(rps => ({
      rps,
      timestamp: localIso(epochMs(startMs + share(rps, from, to) * (requests / mean) * 1000)),
    })),
  }
}

function isRamp(pattern: string | null): pattern is keyof typeof STRATEGIES {
  return pattern !== null && pattern in STRATEGIES
}

function linear(rate: number, from: number, to: number): number {
  return to === from ? 0 : (rate - from) / (to - from)
}

function localIso(epochMs: number): string {
  return new Date(epochMs - new Date(epochMs).getTimezoneOffset() * 60_000).toISOString().slice(0, -1)
}
