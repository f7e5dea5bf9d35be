import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {endedAfterEach} from '../support/children.js'
import {runCli, type CliResult} from '../support/cli.js'
import {startEngine} from '../support/engine-process.js'
import type {KubeApi, KubeObject} from '../support/kube/api-server.js'
import {startCluster} from '../support/kube/start-cluster.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'
import {until} from '../support/until.js'

const LOAD = ['--requests', '4', '--concurrency', '2', '--max-tokens', '4', '--warmup', '0', '--ignore-eos']

describeWith(['kubectl'], 'kvctl bench of a service in a cluster', () => {
  const children = endedAfterEach()
  const folder = temporaryFolder()
  let api: KubeApi

  beforeEach(async () => {
    api = await startCluster(folder())
  })
  afterEach(() => api.close())

  let runs = 0
  const bench = async (...args: string[]): Promise<CliResult> => {
    const env = {KUBECONFIG: join(folder(), 'config'), HOME: folder(), KUBERNETES_SERVICE_HOST: ''}
    const where = [
      '--namespace',
      'ml',
      '--service',
      'demo',
      '--output-dir',
      join(folder(), `run-${++runs}`),
      '--json',
    ]
    return runCli(['bench', ...where, ...LOAD, ...args], {env})
  }
  const serves = (service: KubeObject, url: string): void => {
    service['status'] = {
      ...{url, address: {url: 'http://demo.ml.svc.cluster.local'}},
      conditions: [{type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString()}],
      modelStatus: {transitionStatus: 'UpToDate'},
    }
  }

  it('deploys the model, finds the address that answers, measures the engine there, and says which service it was', async () => {
    const engine = await startEngine(
      '--no-segment',
      '--served-model-name',
      'demo',
      '--ttft-ms',
      '1',
      '--itl-ms',
      '1',
    )
    children.push(engine.child)
    api.onApply = object => {
      if (object.kind === 'InferenceService') serves(object, engine.url)
    }
    const first = await bench('--model-uri', 'hf://Qwen/Qwen3-8B', '--profile', 'cpu-smoke')
    expect(first.code, first.stderr).to.equal(0)
    expect(first.stderr).to.contain('applied InferenceService demo\n')
    expect(JSON.parse(first.stdout)).to.deep.include({requests: {total: 4, success: 4}})
    const {metadata} = JSON.parse(first.stdout) as {metadata: object}
    expect(metadata).to.include({namespace: 'ml', service: 'demo'})
    expect(existsSync(join(folder(), `run-${runs}`, 'cluster.json'))).to.equal(true)
    const applied = api.requests.filter(line => line.startsWith('PATCH')).length

    const again = await bench('--skip-deploy', '--model-uri', 'hf://Qwen/Qwen3-8B')
    expect(again.code, again.stderr).to.equal(0)
    expect(api.requests.filter(line => line.startsWith('PATCH'))).to.have.length(applied)
  })

  it('reaches a service that answers nowhere from here through a port of kubectl, which ends with it', async () => {
    const engine = await startEngine('--no-segment', '--served-model-name', 'demo', '--itl-ms', '1')
    children.push(engine.child)
    const service: KubeObject = {kind: 'InferenceService', metadata: {name: 'demo', namespace: 'ml'}}
    api.objects.push(service, {
      kind: 'Pod',
      metadata: {
        name: 'demo-predictor-1',
        namespace: 'ml',
        labels: {'serving.kserve.io/inferenceservice': 'demo'},
      },
      status: {phase: 'Running', conditions: [{type: 'Ready', status: 'True'}]},
    })
    serves(service, 'http://127.0.0.1:1')
    api.tunnels.set('demo-predictor-1', engine.url)
    const {code, stdout, stderr} = await bench()
    expect(code, stderr).to.equal(0)
    expect(stderr).to.contain(
      'No address of demo answers from here: requests go through kubectl port-forward to demo-predictor-1\n',
    )
    expect(JSON.parse(stdout)).to.deep.include({requests: {total: 4, success: 4}})
    await until(
      () => api.forwarded === 0,
      () => `${api.forwarded} tunnels are left`,
    )

    api.denied.add('create pods/portforward')
    const denied = await bench()
    expect(denied.code).to.equal(3)
    expect(denied.stderr).to.contain(
      'Warning: Permission denied: service account ml:bench may not create pods/portforward in namespace ml\n',
    )
    expect(denied.stdout).to.contain("'demo' cannot be reached")
  })

  it('says with 3 what does not answer from here, and with 4 what is not there', async () => {
    const missing = await bench()
    expect(missing.code).to.equal(4)
    expect(missing.stdout).to.contain(
      "there is no InferenceService or LLMInferenceService 'demo' in namespace ml",
    )
    const service: KubeObject = {kind: 'InferenceService', metadata: {name: 'demo', namespace: 'ml'}}
    api.objects.push(service)
    const late = await bench('--ready-timeout', '0.5')
    expect(late.code).to.equal(4)
    expect(late.stdout).to.match(/Service not ready: 'demo' after \d s/)
    serves(service, 'http://127.0.0.1:1')
    const {code, stdout} = await bench()
    expect(code).to.equal(3)
    expect(stdout).to.contain(
      "Connection timeout: 'demo' cannot be reached: http://127.0.0.1:1 and http://demo.ml.svc.cluster.local do not answer from here, and no pod of it either",
    )
  })
})
