import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import type {ClusterRecord, RunResults} from '../../src/lib/runs/index.js'
import {endedAfterEach} from '../support/children.js'
import {runCli, startCli, type CliResult} from '../support/cli.js'
import {startEngine} from '../support/engine-process.js'
import type {KubeApi, KubeObject} from '../support/kube/api-server.js'
import {startCluster} from '../support/kube/start-cluster.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'
import {until} from '../support/until.js'

const OF = ['--namespace', 'ml', '--service', 'demo']
const LOAD = ['--requests', '4', '--concurrency', '2', '--max-tokens', '4', '--warmup', '0', '--ignore-eos']
const PRICES = `gpu: {NVIDIA-A100-80GB: 4.90}
cpu: {hourly_per_core: 0.04}
memory: {hourly_per_gib: 0.005}
overhead: {fraction: 0}
`

describeWith(['kubectl'], 'a service of the kind LLMInferenceService', () => {
  const children = endedAfterEach()
  const folder = temporaryFolder()
  let api: KubeApi

  beforeEach(async () => {
    api = await startCluster(folder())
    writeFileSync(join(folder(), 'cost.yaml'), PRICES)
    const labels = {'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-80GB'}
    api.objects.push(
      {kind: 'Node', metadata: {name: 'gpu-1', labels}},
      {kind: 'Node', metadata: {name: 'cpu-1'}},
    )
  })
  afterEach(() => api.close())

  const env = (): NodeJS.ProcessEnv => ({
    ...{KUBECONFIG: join(folder(), 'config'), HOME: folder(), KUBERNETES_SERVICE_HOST: ''},
    ...{KVMINI_NAMESPACE: '', KVMINI_COST_CONFIG: '', PROMETHEUS_URL: ''},
  })
  const run = async (args: string[]): Promise<CliResult> => runCli(args, {env: env(), cwd: folder()})
  const addService = (kind = 'LLMInferenceService'): KubeObject => {
    const labels = {'app.kubernetes.io/managed-by': 'kvctl'}
    const service: KubeObject = {kind, metadata: {name: 'demo', namespace: 'ml', labels}}
    api.objects.push(service)
    return service
  }
  /** Addresses as its gateways give them; the first is the cluster's own. */
  const serves = (service: KubeObject, url: string): void => {
    const local = 'http://inference-gateway.kserve.svc.cluster.local/ml/demo'
    service['status'] = {
      addresses: [{url: local}, {url}],
      conditions: [
        ...['PresetsCombined', 'WorkloadsReady', 'RouterReady', 'Ready'].map(type => ({
          type,
          status: 'True',
        })),
      ],
    }
  }
  const addPod = (
    name: string,
    component: string,
    node: string,
    resources: object,
    more: object = {},
  ): void => {
    const startedAt = new Date(Date.now() - 60_000).toISOString()
    api.objects.push({
      kind: 'Pod',
      metadata: {
        ...{name, namespace: 'ml', creationTimestamp: startedAt},
        labels: {
          ...{'app.kubernetes.io/part-of': 'llminferenceservice', 'app.kubernetes.io/name': 'demo'},
          ...{'app.kubernetes.io/component': `llminferenceservice-${component}`, ...more},
        },
      },
      spec: {
        nodeName: node,
        containers: [{name: 'main', resources: {requests: resources, limits: resources}}],
      },
      status: {
        ...{phase: 'Running', startTime: startedAt},
        conditions: [{type: 'Ready', status: 'True', lastTransitionTime: startedAt}],
        containerStatuses: [{name: 'main', ready: true, restartCount: 0, state: {running: {startedAt}}}],
      },
    })
  }
  const addPods = (): void => {
    addPod('demo-kserve-router-scheduler-1', 'router-scheduler', 'cpu-1', {cpu: '1', memory: '1Gi'})
    const gpu = {cpu: '2', memory: '12Gi', 'nvidia.com/gpu': '1'}
    addPod('demo-kserve-1', 'workload', 'gpu-1', gpu, {'llm-d.ai/role': 'both'})
  }

  it('is found by its name, waited for, measured at the address that answers, priced by its pods, shown and removed', async () => {
    const engine = await startEngine('--no-segment', '--served-model-name', 'demo', '--itl-ms', '1')
    children.push(engine.child)
    const service = addService()
    addPods()
    const path = join(folder(), 'run')
    const bench = startCli(['bench', ...OF, ...LOAD, '--output-dir', path, '--cost-config', 'cost.yaml'], {
      ...{env: env(), cwd: folder()},
    })
    let told = ''
    bench.stderr!.setEncoding('utf8').on('data', (text: string) => (told += text))
    const ended = new Promise<number | null>(resolve => bench.once('close', resolve))
    await until(
      () => told.includes('2 of 2 pods ready'),
      () => told,
    )
    expect(told).to.match(/^waiting until LLMInferenceService demo is ready\n/)
    serves(service, engine.url)
    expect(await ended, told).to.equal(0)
    const results = JSON.parse(readFileSync(join(path, 'results.json'), 'utf8')) as RunResults
    expect(results.requests).to.deep.equal({total: 4, success: 4})
    const hourly = 4.9 + 3 * 0.04 + 13 * 0.005
    expect(results.total_cost).to.be.closeTo((hourly * results.window.seconds!) / 3600, 1e-12)
    const {pods} = JSON.parse(readFileSync(join(path, 'cluster.json'), 'utf8')) as ClusterRecord
    expect(pods.map(({name}) => name)).to.have.members(['demo-kserve-router-scheduler-1', 'demo-kserve-1'])

    const standing = await run(['cost', ...OF, '--duration', '10', '--cost-config', 'cost.yaml', '--json'])
    expect(standing.code, standing.stderr).to.equal(0)
    expect((JSON.parse(standing.stdout) as {total_cost: number}).total_cost).to.be.closeTo(hourly * 10, 1e-9)
    const status = await run(['deploy', 'status', ...OF])
    expect(status.stdout).to.match(/^LLMInferenceService 'demo' in ml: ready\n/)
    expect(status.stdout).to.contain(engine.url)
    const removed = await run(['undeploy', ...OF])
    expect([removed.code, removed.stdout]).to.deep.equal([0, 'removed LLMInferenceService demo\n'])
  })

  it('is reached through the port of a pod that answers by itself, not of one that schedules', async () => {
    const engine = await startEngine('--no-segment', '--served-model-name', 'demo', '--itl-ms', '1')
    children.push(engine.child)
    serves(addService(), 'http://127.0.0.1:1')
    addPods()
    api.tunnels.set('demo-kserve-1', engine.url)
    const {code, stderr} = await run(['bench', ...OF, ...LOAD])
    expect(code, stderr).to.equal(0)
    expect(stderr).to.contain('requests go through kubectl port-forward to demo-kserve-1\n')
  })

  it('is told from an InferenceService of the same name by --kind alone, and is none where KServe does not know the kind', async () => {
    addService()
    addService('InferenceService')
    const both = await run(['deploy', 'status', ...OF])
    expect([both.code, both.stderr]).to.deep.equal([
      2,
      "Error: 'demo' in namespace ml is both an InferenceService and an LLMInferenceService\n  Try: --kind InferenceService\n  Try: --kind LLMInferenceService\n",
    ])
    const named = await run(['deploy', 'status', ...OF, '--kind', 'InferenceService'])
    expect(named.stdout).to.match(/^InferenceService 'demo'/)
    api.missing.add('LLMInferenceService')
    const older = await run(['deploy', 'status', ...OF])
    expect([older.code, older.stdout.split('\n')[0]]).to.deep.equal([
      ...[0, "InferenceService 'demo' in ml: not ready"],
    ])
    api.objects.pop()
    const none = await run(['deploy', 'status', ...OF])
    expect([none.code, none.stderr.split('\n')[0]]).to.deep.equal([
      ...[4, "Error: there is no InferenceService or LLMInferenceService 'demo' in namespace ml"],
    ])
    api.missing.delete('LLMInferenceService')
    api.denied.add('get llminferenceservices')
    const denied = await run(['deploy', 'status', ...OF])
    expect(denied.stderr).to.contain('may not get llminferenceservices.serving.kserve.io in namespace ml')
  })
})
