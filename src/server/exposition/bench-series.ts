import {hostname} from 'node:os'
import {Counter, Gauge, Histogram, type Registry} from 'prom-client'
import type {BenchJobs, JobFile} from '../../lib/jobs/index.js'
import type {MachineLook} from '../../lib/machine/index.js'
import {readGauge} from './read-series.js'

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
const GAP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const RUN_LABELS = ['namespace', 'service', 'profile'] as const

/**
 * `kvmini_…`: what the benchmarks of this server measured, and GPUs under the names that kserve-vllm-mini documents.
 *
 * @see Siryoos/kserve-vllm-mini:docs/API.md — Prometheus metrics
 * @returns shows a look at this machine
 */
export function benchSeries(
  registers: Registry[],
  jobs: BenchJobs,
  version: string,
): (look: MachineLook) => void {
  const histogram = (name: string, help: string, buckets: readonly number[]): Histogram =>
    new Histogram({name: `kvmini_${name}`, help, labelNames: RUN_LABELS, buckets: [...buckets], registers})
  const counter = (name: string, help: string, ...labels: string[]): Counter =>
    new Counter({name: `kvmini_${name}`, help, labelNames: [...RUN_LABELS, ...labels], registers})
  const durations = histogram(
    'request_duration_seconds',
    'Send to end of body, of successful requests.',
    SECONDS,
  )
  const ttfts = histogram('ttft_seconds', 'Send to first token, of successful requests.', SECONDS)
  const gaps = histogram('inter_token_latency_seconds', 'Gaps between chunks that bring tokens.', GAP_SECONDS)
  const lags = histogram('send_lag_seconds', 'How much later than scheduled requests were sent.', GAP_SECONDS)
  const requests = counter('requests_total', 'Requests that ended.', 'status')
  const errors = counter('errors_total', 'Requests that failed, by how.', 'type')
  const tokens = counter('tokens_total', 'Tokens of successful requests.', 'kind')
  const runs = new Counter({
    name: 'kvmini_runs_total',
    help: 'Runs that ended.',
    labelNames: ['state'],
    registers,
  })
  for (const state of ['completed', 'failed', 'cancelled']) runs.inc({state}, 0)
  gauge(
    'inflight_requests',
    'Requests in flight of the run that runs.',
    () => jobs.status().active?.progress?.in_flight ?? 0,
  )
  gauge('run_active', 'Whether a run runs: 1 or 0.', () => (jobs.status().active === null ? 0 : 1))
  gauge('runs_queued', 'Runs that wait.', () => jobs.status().queued.length)
  new Gauge({
    name: 'kvmini_build_info',
    help: 'Always 1; the version of kvctl.',
    labelNames: ['version'],
    registers,
  }).set({version}, 1)
  jobs.observe({
    observed(job, seen) {
      const labels = labelsOf(job)
      for (const ms of seen.durationsMs) durations.observe(labels, ms / 1000)
      for (const ms of seen.ttftsMs) ttfts.observe(labels, ms / 1000)
      for (const us of seen.gapsUs) gaps.observe(labels, us / 1e6)
      for (const ms of seen.sendLagsMs) lags.observe(labels, Math.max(0, ms) / 1000)
      requests.inc({...labels, status: 'success'}, seen.durationsMs.length)
      tokens.inc({...labels, kind: 'prompt'}, seen.promptTokens)
      tokens.inc({...labels, kind: 'completion'}, seen.completionTokens)
      for (const [type, count] of Object.entries(seen.failures)) {
        errors.inc({...labels, type}, count)
        requests.inc({...labels, status: 'error'}, count)
      }
    },
    ended: ({status}) => runs.inc({state: status}),
  })
  return gpuGauges(registers)

  function gauge(name: string, help: string, value: () => number): void {
    readGauge(registers, `kvmini_${name}`, help, value)
  }
}

function gpuGauges(registers: Registry[]): (look: MachineLook) => void {
  const ids = ['gpu', 'uuid', 'node']
  const use = new Gauge({
    name: 'kvmini_gpu_utilization',
    help: 'Share of time in which a kernel ran, percent.',
    labelNames: ids,
    registers,
  })
  const memory = new Gauge({
    name: 'kvmini_memory_usage_bytes',
    help: 'Memory in use: of a GPU, or on it by processes.',
    labelNames: [...ids, 'kind'],
    registers,
  })
  const node = hostname()
  return ({gpus: {gpus}}) => {
    use.reset()
    memory.reset()
    for (const gpu of gpus) {
      const labels = {gpu: String(gpu.index), uuid: gpu.uuid ?? '', node}
      if (gpu.utilizationPercent !== null) use.set(labels, gpu.utilizationPercent)
      if (gpu.memoryUsedBytes !== null) memory.set({...labels, kind: 'gpu'}, gpu.memoryUsedBytes)
      const held = gpu.processes?.map(one => one.usedBytes ?? 0) ?? []
      if (held.length > 0)
        memory.set(
          {...labels, kind: 'process'},
          held.reduce((sum, one) => sum + one, 0),
        )
    }
  }
}

function labelsOf({namespace, service, profile}: JobFile): Record<(typeof RUN_LABELS)[number], string> {
  return {namespace, service: service ?? '', profile}
}
