import {expect} from 'chai'
import {computeRunFigures, runSpan} from '../../../src/lib/analysis/index.js'
import {writePrometheusWindow, type PrometheusWindow, type RunResults} from '../../../src/lib/runs/index.js'
import {SMALL_RUN_ORIGIN_MS, writeSmallRun} from '../../support/small-run.js'
import {temporaryFolder} from '../../support/temporary.js'

const START = SMALL_RUN_ORIGIN_MS / 1000
type Samples = [number, number][]

/** Samples at seconds since the window's start. */
const series = (...all: Samples[]): PrometheusWindow['series'][string] =>
  all.map((samples, gpu) => ({
    labels: {gpu: String(gpu)},
    samples: samples.map(([at, value]) => [START + at, value] as const),
  }))

describe('figures of a run from Prometheus', () => {
  const folder = temporaryFolder()
  let runs = 0

  /** Of a window of 100 s. */
  const resultsOf = async (
    parts: PrometheusWindow['series'],
    histograms: PrometheusWindow['histograms'] = {},
  ): Promise<RunResults> => {
    const run = await writeSmallRun(`${folder()}/${++runs}`)
    await writePrometheusWindow(run, {
      ...{schema_version: 1, url: 'http://prometheus:9090', namespace: 'ml', service: 'demo'},
      ...{start: START, end: START + 100, queries: {}, missing: ['waiting'], series: parts, histograms},
    })
    return (await computeRunFigures(run)).results
  }

  it('are means of utilisation, sums of memory and power, and cores from the growth of CPU time', async () => {
    const {resources, ...results} = await resultsOf({
      // What lies outside the window does not count.
      gpu_utilization: series(
        [
          [-10, 0],
          [0, 80],
          [50, 90],
        ],
        [
          [0, 60],
          [50, 70],
        ],
      ),
      gpu_memory_bytes: series(
        [
          [0, 4e9],
          [50, 6e9],
        ],
        [
          [0, 2e9],
          [50, 2e9],
        ],
      ),
      // A pod that was there for half of the time counts for a half.
      gpu_power_watts: series(
        [
          [0, 300],
          [50, 300],
        ],
        [[50, 100]],
      ),
      // 50 of the 100 s between the first two samples lie before the window: 10 of 20 s of CPU time; then 190.
      cpu_seconds: series([
        [-50, 0],
        [50, 20],
        [100, 210],
      ]),
      memory_bytes: series([[0, 1e9]], [[0, 2e9]]),
    })
    expect(resources).to.deep.equal({avg_gpu_utilization: 0.75, avg_memory_usage_gb: 7, avg_cpu_usage: 2})
    expect(results).to.deep.include({
      ...{
        gpu_util_avg: 75,
        gpu_mem_used_avg: 7e9,
        gpu_power_watts_avg: 350,
        cpu_util_avg: 2,
        mem_used_avg: 3e9,
      },
    })
    expect(results.unavailable).to.not.have.property('resources')
  })

  it('are energy by the counters of all GPUs, else by their power', async () => {
    const counted = await resultsOf({
      gpu_energy_joules: series(
        [
          [-10, 1000],
          [50, 7000],
          [110, 13_000],
        ],
        [
          [-10, 0],
          [50, 3600],
          [110, 7200],
        ],
      ),
      gpu_power_watts: series([
        [0, 9],
        [100, 9],
      ]),
    })
    // 100 J/s and 60 J/s for 100 s
    expect(counted.energy_wh).to.equal(4.444444) // 16,000 J / 3600
    expect(counted).to.deep.include({energy_source: 'counter', energy_coverage: 1})
    const added = await resultsOf({
      gpu_power_watts: series([
        [-5, 100],
        [45, 100],
        [95, 200],
        [145, 200],
      ]),
    })
    // 45 s at 100 W, 50 s at 150 W on average, 5 s at 200 W
    expect(added.energy_wh).to.equal(3.611111) // 13,000 J / 3600
    expect(added.energy_source).to.equal('integrated_power')
    const little = await resultsOf({
      gpu_power_watts: series([
        [0, 100],
        [20, 100],
      ]),
    })
    expect([little.energy_wh, little.energy_source]).to.deep.equal([null, null])
  })

  it('are vLLM’s own counts, from the scrape before the run to the one after it, also over a restart', async () => {
    const {prometheus, cache_hit_ratio: ratio} = await resultsOf({
      generation_tokens: series(
        [
          [-20, 5],
          [-3, 100],
          [60, 180],
          [104, 200],
          [130, 999],
        ],
        [
          [-3, 50],
          [40, 90],
          [60, 7],
        ],
      ),
      prefix_cache_queries: series([
        [0, 100],
        [100, 300],
      ]),
      prefix_cache_hits: series([
        [0, 10],
        [100, 60],
      ]),
      running: series(
        [
          [0, 2],
          [50, 4],
        ],
        [
          [0, 1],
          [50, 1],
        ],
      ),
    })
    expect(prometheus).to.deep.include({
      ...{generation_tokens: 147, prefix_cache_hit_ratio: 0.25}, // 100 + 40 + 7; 50 / 200
      ...{requests_running: 4, requests_waiting: null, missing: ['waiting'], url: 'http://prometheus:9090'},
    })
    expect(ratio).to.equal(0.25)
  })

  it('are means and percentiles of vLLM’s own histograms', async () => {
    const ttft = {bounds: [0.1, 0.2, null], counts: [50, 100, 100], sum: 10}
    expect((await resultsOf({}, {ttft})).prometheus?.latencies_ms).to.deep.equal({
      ttft: {mean: 100, p50: 100, p95: 190, p99: 198},
    })
  })

  it('are over the span from the first send to the last end of body', async () => {
    const run = await writeSmallRun(`${folder()}/span`)
    expect(await runSpan(run)).to.deep.equal({start: START + 0.01, end: START + 0.27})
  })
})
