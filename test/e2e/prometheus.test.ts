import {mkdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import type {RunResults} from '../../src/lib/runs/index.js'
import {endedAfterEach} from '../support/children.js'
import {runCli} from '../support/cli.js'
import {startEngine} from '../support/engine-process.js'
import {bareDriver, fullGpu} from '../support/nvml/driver-facts.js'
import {standInDriver} from '../support/nvml/stand-in.js'
import {startPrometheusStandIn} from '../support/prometheus-stand-in.js'
import {scrape} from '../support/prometheus.js'
import {describeWith} from '../support/requires.js'
import {startServeWith} from '../support/serve-process.js'
import {writeSmallRun} from '../support/small-run.js'
import {temporaryFolder} from '../support/temporary.js'

const LABELS = {namespace: 'ml', pod: 'demo-predictor-1'}
const OF = ['--namespace', 'ml', '--service', 'demo']

describeWith(['prometheus', 'gcc|cc'], 'kvctl analyze of what a Prometheus scraped', () => {
  const children = endedAfterEach()
  const folder = temporaryFolder()

  it('finds utilisation, energy and the engine’s own counts in those of kvctl serve and kvctl engine', async () => {
    // A GPU without a counter of energy: its power is added up.
    const facts = Object.fromEntries(
      Object.entries({...bareDriver(1), ...fullGpu(0)}).filter(([name]) => !name.includes('TotalEnergy')),
    )
    mkdirSync(join(folder(), 'shm'))
    const env = {
      KVCTL_SHM_DIR: join(folder(), 'shm'),
      KVCTL_STATE_DIR: folder(),
      KVCTL_ENGINE_URLS: 'http://127.0.0.1:1',
    }
    const serve = await startServeWith(
      {...standInDriver(folder(), facts).env, ...env},
      '--no-auth',
      '--dcgm-metrics',
    )
    children.push(serve.child)
    const engine = await startEngine(
      '--no-segment',
      '--ttft-ms',
      '20',
      '--itl-ms',
      '10',
      '--served-model-name',
      'demo',
    )
    children.push(engine.child)
    const prometheus = await scrape(folder(), [
      {url: serve.url, labels: LABELS},
      {url: engine.url, labels: LABELS},
    ])
    children.push(prometheus.child)
    await prometheus.valueOf('DCGM_FI_DEV_POWER_USAGE')
    await prometheus.valueOf('vllm:generation_tokens_total')

    const run = join(folder(), 'run')
    const load = ['--requests', '16', '--concurrency', '1', '--max-tokens', '16', '--warmup', '0']
    const bench = await runCli(['bench', '--url', engine.url, '--output-dir', run, ...load, '--plain'])
    expect(bench.code, bench.stderr).to.equal(0)
    const args = ['analyze', '--run-dir', run, ...OF, '--json']
    const {code, stdout, stderr} = await runCli([...args, '--prom-url', prometheus.url])
    expect(code, stdout + stderr).to.equal(0)
    const results = JSON.parse(stdout) as RunResults
    expect(results).to.deep.include({gpu_util_avg: 85, gpu_power_watts_avg: 412.5})
    expect(results.resources.avg_gpu_utilization).to.equal(0.85)
    expect(results.energy.total_energy_wh).to.be.closeTo((412.5 * results.window.seconds!) / 3600, 1e-3)
    expect(results.energy_source).to.equal('integrated_power')
    expect(results.prometheus).to.deep.include({
      ...{url: prometheus.url, successes: 16},
      generation_tokens: results.completion_tokens_total,
      prompt_tokens: results.prompt_tokens_total,
    })
    expect(results.prometheus!.latencies_ms).to.include.keys(
      'ttft',
      'itl',
      'e2e',
      'queue',
      'prefill',
      'decode',
    )
    expect(results.prometheus!.queries['gpu_utilization']).to.match(
      /^DCGM_FI_DEV_GPU_UTIL\{namespace="ml",pod=~/,
    )
    // What containers use only cAdvisor knows.
    expect(results.prometheus!.missing).to.deep.equal(['cpu_seconds', 'gpu_energy_joules', 'memory_bytes'])

    const before = readFileSync(join(run, 'results.json'), 'utf8')
    expect((await runCli(args)).code).to.equal(0)
    expect(readFileSync(join(run, 'results.json'), 'utf8')).to.equal(before)
  })
})

describe('kvctl analyze --prom-url', () => {
  const folder = temporaryFolder()

  it('says with 3 that nobody answers, with 2 what is no address, and warns of a Prometheus that knows nothing', async () => {
    const {path} = await writeSmallRun(join(folder(), 'run'))
    const analyze = async (env: NodeJS.ProcessEnv, ...args: string[]) =>
      runCli(['analyze', '--run-dir', path, ...OF, ...args], {
        env: {KUBECONFIG: join(folder(), 'none'), KUBERNETES_SERVICE_HOST: '', ...env},
      })
    const nobody = await analyze({}, '--prom-url', 'http://127.0.0.1:1')
    expect(nobody.code).to.equal(3)
    expect(nobody.stderr).to.contain(
      '\nError: Prometheus at http://127.0.0.1:1 cannot be asked: it cannot be reached: connect ECONNREFUSED 127.0.0.1:1\n',
    )
    expect((await analyze({}, '--prom-url', 'prometheus')).code).to.equal(2)
    const standIn = await startPrometheusStandIn()
    try {
      const empty = await analyze({PROMETHEUS_URL: standIn.url, PROMETHEUS_TOKEN: 'abc'})
      expect([...standIn.authorizations]).to.deep.equal(['Bearer abc'])
      expect(empty.stderr).to.contain(
        `Warning: Prometheus at ${standIn.url} has no series of demo in ml over the run\n`,
      )
    } finally {
      await standIn.close()
    }
  })
})
