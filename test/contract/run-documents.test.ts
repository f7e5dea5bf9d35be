import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {analyzeRun} from '../../src/lib/analysis/index.js'
import {
  createRecordWriter,
  createTimeSeriesWriter,
  writeMeta,
  writePricing,
} from '../../src/lib/runs/index.js'
import {requestRecord} from '../support/records.js'
import {temporaryFolder} from '../support/temporary.js'

type Kind = 'time' | 'text' | 'count' | 'number' | 'share' | 'counts' | 'money' | 'unknown'

const IS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  time: value => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(value),
  money: value => typeof value === 'string' && /^\$\d+\.\d{2,}$/.test(value),
  text: value => typeof value === 'string' && value !== '',
  count: value => Number.isInteger(value),
  number: value => typeof value === 'number' && Number.isFinite(value),
  share: value => typeof value === 'number' && value >= 0 && value <= 1,
  unknown: value => value === null,
  counts: value => Array.isArray(value) && value.every(Number.isInteger),
}

/** The keys of the result that `Siryoos/kserve-vllm-mini:docs/API.md` shows, in its order, with their types. */
const RESULTS: readonly (readonly [path: string, kind: Kind])[] = [
  ['metadata.timestamp', 'time'],
  ['metadata.namespace', 'text'],
  ['metadata.service', 'text'],
  ['metadata.profile', 'text'],
  ['metadata.total_requests', 'count'],
  ['metadata.concurrent_users', 'count'],
  ['performance.p50_latency_ms', 'number'],
  ['performance.p95_latency_ms', 'number'],
  ['performance.p99_latency_ms', 'number'],
  ['performance.avg_ttft_ms', 'number'],
  ['performance.throughput_rps', 'number'],
  ['performance.success_rate', 'share'],
  ['performance.error_rate', 'share'],
  ['cost.cost_per_1k_tokens', 'money'],
  ['cost.hourly_cost', 'money'],
  ['cost.breakdown.gpu', 'money'],
  ['cost.breakdown.cpu', 'money'],
  ['cost.breakdown.memory', 'money'],
  // Nobody measures power yet.
  ['energy.energy_per_1k_tokens_wh', 'unknown'],
  ['energy.total_energy_wh', 'unknown'],
  ['resources.avg_gpu_utilization', 'share'],
  ['resources.avg_memory_usage_gb', 'number'],
  ['resources.avg_cpu_usage', 'number'],
]

/** The same for the analysis output. */
const ANALYSIS: readonly (readonly [path: string, kind: Kind])[] = [
  ['summary.total_requests', 'count'],
  ['summary.successful_requests', 'count'],
  ['summary.failed_requests', 'count'],
  ['summary.success_rate', 'share'],
  ['latency.percentiles.p50', 'number'],
  ['latency.percentiles.p90', 'number'],
  ['latency.percentiles.p95', 'number'],
  ['latency.percentiles.p99', 'number'],
  ['latency.histogram.bins', 'counts'],
  ['latency.histogram.counts', 'counts'],
  ['throughput.requests_per_second', 'number'],
  ['throughput.tokens_per_second', 'number'],
  ['errors.0.timestamp', 'time'],
  ['errors.0.error', 'text'],
  ['errors.0.details', 'text'],
]

/** What gate, canary, sweeps and bundle of `Siryoos/kserve-vllm-mini` read at the top level; null where unknown. */
const FLAT =
  `p50_ms p95_ms p99_ms throughput_rps tokens_per_sec error_rate ttft_p50_ms ttft_p95_ms cost_per_request
  cost_per_1k_tokens gpu_util_avg cold_start_count cold_p50_ms cold_p95_ms warm_p50_ms warm_p95_ms
  cold_cost_per_request warm_cost_per_request cold_cost_per_1k_tokens warm_cost_per_1k_tokens energy_wh_per_1k_tokens
  cache_hit_ratio window.start window.end window.seconds requests.total requests.success`.split(/\s+/)

const UPSTREAM_COLUMNS =
  'id,scheduled_ms,start_ms,ttfb_ms,tllt_ms,latency_ms,status,prompt_tokens,completion_tokens,total_tokens,error,trace_id'

const ORIGIN = Date.UTC(2025, 8, 12, 14, 30, 15)

function at(document: unknown, path: string): unknown {
  return path.split('.').reduce((part, key) => (part as Record<string, unknown>)[key], document)
}

/** Paths of all leaves below `keys`; of a list the first element. */
function leaves(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [path]
  if (Array.isArray(value) && typeof value[0] !== 'object') return [path]
  const entries = Object.entries(Array.isArray(value) ? [value[0]] : value)
  return entries.flatMap(([key, part]) => leaves(part, path === '' ? key : `${path}.${key}`))
}

describe('the documents of a run', () => {
  const folder = temporaryFolder()
  const read = async (name: string): Promise<string> => readFile(join(folder(), name), 'utf8')

  /** Two answers and a time-out, looked at twice and priced. */
  beforeEach(async () => {
    const run = {path: folder(), runId: 'run'}
    await writeMeta(run, {
      ...{run_id: 'run', mode: 'closed', concurrency: 1, requests: 3, origin_epoch_ms: ORIGIN},
      ...{started_at: new Date(ORIGIN).toISOString(), namespace: 'ml-prod', service: 'demo-llm'},
      profile: {metadata: {name: 'standard'}},
    })
    const writer = await createRecordWriter(run, ORIGIN)
    await writer.append([
      requestRecord(),
      requestRecord({id: 2, requestId: 'run-2', outcome: 'timeout_total', error: 'timed out after 30s'}),
      requestRecord({id: 3, requestId: 'run-3'}),
    ])
    await writer.close()
    const series = await createTimeSeriesWriter(run)
    for (const [at_ms, cpu_seconds] of [
      [0, 1],
      [1000, 3],
    ] as const) {
      await series.append({
        at_ms,
        process: {cpu_seconds, rss_bytes: 2e9},
        gpus: [{index: 0, utilization: 0.87, memory_used_bytes: 12.3e9, power_watts: null}],
      })
    }
    await series.close()
    await writePricing(run, {
      ...{schema_version: 1, currency: 'USD', prices_from: 'cost.yaml', price_multiplier: 1},
      gpus: [{product: 'NVIDIA-A10', count: 1, hourly: 1.8, price_entry: 'NVIDIA-A10', price_rule: 'exact'}],
      cpu: {cores: 9, hourly_per_core: 0.05},
      memory: {gib: 20, hourly_per_gib: 0.01},
      ...{pods: [], overhead_fraction: 0, warnings: []},
    })
    await analyzeRun(run)
  })

  for (const [path, kind] of RESULTS) {
    it(`results.json has ${path}: ${kind}`, async () => {
      expect(at(JSON.parse(await read('results.json')), path)).to.satisfy(IS[kind])
    })
  }

  for (const [path, kind] of ANALYSIS) {
    it(`analysis.json has ${path}: ${kind}`, async () => {
      expect(at(JSON.parse(await read('analysis.json')), path)).to.satisfy(IS[kind])
    })
  }

  it('have the documented keys in the documented order, and no other in these blocks', async () => {
    const {metadata, performance, cost, energy, resources} = JSON.parse(await read('results.json')) as Record<
      string,
      unknown
    >
    expect(leaves({metadata, performance, cost, energy, resources}, '')).to.deep.equal(
      RESULTS.map(([path]) => path),
    )
    expect(leaves(JSON.parse(await read('analysis.json')), '')).to.deep.equal(ANALYSIS.map(([path]) => path))
  })

  it('results.json has every flat key that upstream tools read, a number or null', async () => {
    const results: unknown = JSON.parse(await read('results.json'))
    for (const path of FLAT)
      expect(at(results, path), path).to.satisfy((value: unknown) => value === null || IS.number(value))
  })

  it('say the same in blocks and flat keys: GPU use is a share in one and percent in the other', async () => {
    const results: unknown = JSON.parse(await read('results.json'))
    expect(at(results, 'resources.avg_gpu_utilization')).to.equal(0.87)
    expect(at(results, 'gpu_util_avg')).to.equal(87)
    expect(at(results, 'resources.avg_memory_usage_gb')).to.equal(12.3)
    expect(at(results, 'resources.avg_cpu_usage')).to.equal(2) // (3 − 1) s of processor / 1 s
    expect(at(results, 'p95_ms')).to.equal(at(results, 'performance.p95_latency_ms'))
  })

  it('cost: what an hour costs is the sum of its parts', async () => {
    expect(at(JSON.parse(await read('results.json')), 'cost')).to.deep.include({
      hourly_cost: '$2.45', // 1.80 + 9 · 0.05 + 20 · 0.01
      breakdown: {gpu: '$1.80', cpu: '$0.45', memory: '$0.20'},
    })
  })

  it('histogram: as many counts as bins, and all successes in them', async () => {
    const {bins, counts} = at(JSON.parse(await read('analysis.json')), 'latency.histogram') as {
      bins: number[]
      counts: number[]
    }
    expect(counts).to.have.length(bins.length)
    expect(counts.reduce((sum, count) => sum + count, 0)).to.equal(2)
  })

  it('requests.csv begins with the twelve columns of upstream', async () => {
    const [header] = (await read('requests.csv')).split('\n')
    expect(header).to.match(new RegExp(`^${UPSTREAM_COLUMNS},`))
  })
})
