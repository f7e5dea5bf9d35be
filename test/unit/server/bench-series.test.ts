import {hostname} from 'node:os'
import {expect} from 'chai'
import {Registry} from 'prom-client'
import type {BenchJobs, JobFile, JobObserver} from '../../../src/lib/jobs/index.js'
import type {MachineLook} from '../../../src/lib/machine/index.js'
import {benchSeries} from '../../../src/server/exposition/bench-series.js'

describe('the kvmini_ series', () => {
  let registry: Registry
  let observer: JobObserver
  let show: (look: MachineLook) => void
  beforeEach(() => {
    registry = new Registry()
    const jobs = {
      status: () => ({active: null, queued: [], recent: []}),
      observe: (one: JobObserver) => (observer = one),
    }
    show = benchSeries([registry], jobs as unknown as BenchJobs, '1.2.3')
  })
  const job = {namespace: 'default', service: null, profile: 'standard', status: 'failed'} as JobFile

  it('shows GPUs in percent and bytes', async () => {
    const gpu = {index: 1, uuid: 'GPU-1', utilizationPercent: 87, memoryUsedBytes: 5e9}
    const processes = [{usedBytes: 1e9}, {usedBytes: 2e9}, {usedBytes: null}]
    show({gpus: {gpus: [{...gpu, processes}]}} as unknown as MachineLook)
    const labels = `gpu="1",uuid="GPU-1",node="${hostname()}"`
    expect(await registry.metrics())
      .to.include(`kvmini_gpu_utilization{${labels}} 87\n`)
      .and.include(`kvmini_memory_usage_bytes{${labels},kind="gpu"} 5000000000\n`)
      .and.include(`kvmini_memory_usage_bytes{${labels},kind="process"} 3000000000\n`)
    show({gpus: {gpus: []}} as unknown as MachineLook)
    expect(await registry.metrics()).to.not.include('GPU-1')
  })

  it('counts failures by how, and runs by how they ended', async () => {
    const nothing = {
      durationsMs: [],
      ttftsMs: [],
      sendLagsMs: [],
      gapsUs: [],
      promptTokens: 0,
      completionTokens: 0,
    }
    observer.observed(job, {...nothing, failures: {http_5xx: 2, timeout_total: 1}})
    observer.observed(job, {...nothing, failures: {http_5xx: 1}})
    observer.ended(job)
    const labels = 'namespace="default",service="",profile="standard"'
    expect(await registry.metrics())
      .to.include(`kvmini_errors_total{${labels},type="http_5xx"} 3\n`)
      .and.include(`kvmini_errors_total{${labels},type="timeout_total"} 1\n`)
      .and.include(`kvmini_requests_total{${labels},status="error"} 4\n`)
      .and.include('kvmini_runs_total{state="failed"} 1\n')
      .and.include('kvmini_build_info{version="1.2.3"} 1\n')
  })
})
