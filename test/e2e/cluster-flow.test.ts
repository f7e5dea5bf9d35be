import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import type {ClusterRecord, RunResults} from '../../src/lib/runs/index.js'
import {endedAfterEach} from '../support/children.js'
import {runCli, startCli, type CliResult} from '../support/cli.js'
import {startEngine} from '../support/engine-process.js'
import type {KubeApi, KubeObject} from '../support/kube/api-server.js'
import {startCluster} from '../support/kube/start-cluster.js'
import {startPrometheusStandIn, type PrometheusStandIn} from '../support/prometheus-stand-in.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'
import {until} from '../support/until.js'

const OF = ['--namespace', 'ml', '--service', 'demo']
const PRICES = `gpu: {NVIDIA-A100-80GB: 4.90}
cpu: {hourly_per_core: 0.04}
memory: {hourly_per_gib: 0.005}
overhead: {fraction: 0.10}
`

describeWith(['kubectl'], 'a model on KServe, from its deployment to its cost', () => {
  const children = endedAfterEach()
  const folder = temporaryFolder()
  let api: KubeApi
  let prometheus: PrometheusStandIn

  beforeEach(async () => {
    api = await startCluster(folder())
    const labels = {'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-80GB'}
    api.objects.push(
      {
        ...{kind: 'ClusterServingRuntime', metadata: {name: 'kserve-vllmserver'}},
        spec: {supportedModelFormats: [{name: 'vLLM'}]},
      },
      {kind: 'Node', metadata: {name: 'gpu-1', labels}},
    )
    prometheus = await startPrometheusStandIn()
    writeFileSync(join(folder(), 'cost.yaml'), PRICES)
  })
  afterEach(async () => {
    await prometheus.close()
    await api.close()
  })

  const env = (): NodeJS.ProcessEnv => ({
    ...{KUBECONFIG: join(folder(), 'config'), HOME: folder(), KUBERNETES_SERVICE_HOST: ''},
    ...{KVMINI_NAMESPACE: '', KVMINI_COST_CONFIG: '', PROMETHEUS_URL: '', PROMETHEUS_TOKEN: ''},
  })
  const run = async (...args: string[]): Promise<CliResult> => runCli(args, {env: env(), cwd: folder()})
  const setStatus = (service: KubeObject, isReady: boolean, url: string): void => {
    const status = isReady ? 'True' : 'False'
    service['status'] = {
      ...{url, address: {url: 'http://demo.ml.svc.cluster.local'}, deploymentMode: 'Standard'},
      conditions: [
        {type: 'PredictorReady', status},
        {type: 'Ready', status, lastTransitionTime: new Date().toISOString()},
      ],
      modelStatus: {transitionStatus: isReady ? 'UpToDate' : 'InProgress'},
    }
  }
  const podOf = (isReady: boolean): KubeObject => {
    const now = new Date(Date.now() - 60_000).toISOString()
    return {
      kind: 'Pod',
      metadata: {
        ...{name: 'demo-predictor-1', namespace: 'ml', creationTimestamp: now},
        labels: {'serving.kserve.io/inferenceservice': 'demo'},
      },
      spec: {
        nodeName: 'gpu-1',
        containers: [
          {
            name: 'kserve-container',
            resources: {requests: {cpu: '2', memory: '12Gi'}, limits: {'nvidia.com/gpu': '1'}},
          },
          {name: 'queue-proxy', resources: {requests: {cpu: '1'}}},
        ],
      },
      status: {
        ...{phase: 'Running', startTime: now},
        conditions: [{type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: now}],
        containerStatuses: [
          {name: 'kserve-container', ready: isReady, restartCount: 0, state: {running: {startedAt: now}}},
        ],
      },
    }
  }

  it('waits until it is ready, measures it, lays Prometheus beside it, prices its pods, reports, and removes it', async () => {
    const engine = await startEngine(
      '--no-segment',
      '--served-model-name',
      'demo',
      '--ttft-ms',
      '5',
      '--itl-ms',
      '5',
    )
    children.push(engine.child)
    api.onApply = object => {
      if (object.kind === 'InferenceService') setStatus(object, false, engine.url)
    }
    const deploy = startCli(['deploy', ...OF, '--model-uri', 'hf://Qwen/Qwen3-8B'], {
      env: env(),
      cwd: folder(),
    })
    let told = ''
    deploy.stderr!.setEncoding('utf8').on('data', (text: string) => (told += text))
    const deployed = new Promise<number | null>(resolve => deploy.once('close', resolve))
    await until(
      () => told.includes('0 of 0 pods ready'),
      () => told,
    )
    api.objects.push(podOf(false))
    await until(
      () => told.includes('0 of 1 pods ready'),
      () => told,
    )
    Object.assign(api.find('Pod', 'demo-predictor-1')!, podOf(true))
    setStatus(api.find('InferenceService', 'demo')!, true, engine.url)
    expect(await deployed, told).to.equal(0)

    const path = join(folder(), 'run')
    const load = [
      '--requests',
      '8',
      '--concurrency',
      '2',
      '--max-tokens',
      '8',
      '--warmup',
      '0',
      '--ignore-eos',
    ]
    const bench = await run(
      'bench',
      ...OF,
      '--skip-deploy',
      '--output-dir',
      path,
      ...load,
      '--cost-config',
      'cost.yaml',
    )
    expect(bench.code, bench.stderr).to.equal(0)
    const results = (): RunResults =>
      JSON.parse(readFileSync(join(path, 'results.json'), 'utf8')) as RunResults
    const {window, ...first} = results()
    const hourly = (4.9 + 2 * 0.04 + 12 * 0.005) * 1.1
    expect(first.total_cost).to.be.closeTo((hourly * window.seconds!) / 3600, 1e-12)
    expect(first.cost).to.deep.include({
      hourly_cost: '$5.54',
      breakdown: {gpu: '$5.39', cpu: '$0.09', memory: '$0.06'},
    })
    expect(first).to.deep.include({cold_start_count: 0, cold_count: 0, warm_count: 8})
    expect(first.warm_cost_per_request).to.be.closeTo(first.total_cost! / 8, 1e-12)
    const cluster = JSON.parse(readFileSync(join(path, 'cluster.json'), 'utf8')) as ClusterRecord
    expect(cluster.nodes).to.deep.equal([
      {name: 'gpu-1', gpu_product: 'NVIDIA-A100-SXM4-80GB', unavailable: null},
    ])

    const pod = 'exported_namespace="ml",exported_pod="demo-predictor-1"'
    const steady = (value: number): [number, number][] =>
      [-30, -15, 0, 15, 30].map(second => [window.start! + second, value])
    prometheus.series = {
      [`DCGM_FI_DEV_GPU_UTIL{${pod}}`]: steady(87),
      [`DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{${pod}}`]: [-30, -15, 0, 15, 30].map(second => [
        ...[window.start! + second, (second + 30) * 360_000],
      ]) as [number, number][],
    }
    const analyzed = await run('analyze', ...OF, '--run-dir', path, '--prom-url', prometheus.url, '--json')
    expect(analyzed.code, analyzed.stderr).to.equal(0)
    expect(results().resources.avg_gpu_utilization).to.equal(0.87)
    expect(results().energy.total_energy_wh).to.be.closeTo(window.seconds! / 10, 1e-5) // 360 W
    expect(results().total_cost).to.equal(first.total_cost)

    const standing = await run('cost', ...OF, '--duration', '24', '--cost-config', 'cost.yaml', '--json')
    expect(standing.code, standing.stderr).to.equal(0)
    const day = JSON.parse(standing.stdout) as {total_cost: number; pods: {name: string; ready: boolean}[]}
    expect(day.total_cost).to.be.closeTo(hourly * 24, 1e-9)
    expect(day.pods).to.deep.equal([
      {name: 'demo-predictor-1', node: 'gpu-1', ready: true, hourly_cost: '$5.54'},
    ])

    const report = await run('report', '--run-dir', path)
    expect([report.code, existsSync(join(path, 'report.html'))]).to.deep.equal([0, true])
    const removed = await run('undeploy', ...OF)
    expect([removed.code, api.find('InferenceService', 'demo')]).to.deep.equal([0, undefined])
  })

  it('prices a run that somebody else measured by the pods that are there', async () => {
    const engine = await startEngine('--no-segment', '--served-model-name', 'demo', '--itl-ms', '1')
    children.push(engine.child)
    const path = join(folder(), 'run')
    const load = [
      '--requests',
      '4',
      '--max-tokens',
      '4',
      '--warmup',
      '0',
      '--ignore-eos',
      '--url',
      engine.url,
    ]
    expect((await run('bench', '--output-dir', path, ...load)).code).to.equal(0)
    api.objects.push(podOf(true))
    const {code, stdout, stderr} = await run(
      'cost',
      ...OF,
      '--run-dir',
      path,
      '--cost-config',
      'cost.yaml',
      '--json',
    )
    expect(code, stderr).to.equal(0)
    const {total_cost: total} = JSON.parse(stdout) as {total_cost: number}
    const {window} = JSON.parse(readFileSync(join(path, 'results.json'), 'utf8')) as RunResults
    expect(total).to.be.closeTo((5.544 * window.seconds!) / 3600, 1e-12)
    api.objects.pop()
    const none = await run('cost', '--namespace', 'ml', '--service', 'other', '--duration', '1')
    expect([none.code, none.stderr.split('\n')[0]]).to.deep.equal([
      ...[4, "Error: no pod of 'other' is in namespace ml"],
    ])
    const unnamed = await run('cost', '--namespace', 'ml', '--duration', '1')
    expect([unnamed.code, unnamed.stderr.split('\n')[0]]).to.deep.equal([
      ...[2, 'Error: whose pods in ml are to be priced is not said'],
    ])
  })
})
