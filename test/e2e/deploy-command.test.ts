import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {parseAllDocuments} from 'yaml'
import {runCli, startCli, type CliResult} from '../support/cli.js'
import type {KubeApi, KubeObject} from '../support/kube/api-server.js'
import {startCluster} from '../support/kube/start-cluster.js'
import {refusalOf} from '../support/kube/schemas.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'
import {until} from '../support/until.js'

const SERVICE = ['--service', 'demo-llm', '--namespace', 'ml-prod']
const MODEL = ['--model-uri', 's3://models/llama-3.1-8b/']

describe('kvctl deploy without a cluster', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const none = (): NodeJS.ProcessEnv => ({KUBECONFIG: join(folder(), 'none'), KUBERNETES_SERVICE_HOST: ''})

  it('prints YAML alone with --dry-run, which the schemas of KServe take, and never a key', async () => {
    const keys = {
      AWS_ACCESS_KEY_ID: 'AKIA1',
      AWS_SECRET_ACCESS_KEY: 'very-secret',
      S3_ENDPOINT_URL: 'https://minio:9000',
    }
    const args = ['deploy', ...SERVICE, ...MODEL, '--dry-run', '--create-s3-secret']
    const {code, stdout, stderr} = await runCli(args, {env: {...none(), ...keys}})
    expect(code).to.equal(0)
    const objects = parseAllDocuments(stdout).map(document => document.toJS() as KubeObject)
    expect(objects.map(({kind}) => kind)).to.deep.equal(['ServiceAccount', 'ConfigMap', 'InferenceService'])
    for (const object of objects) expect(refusalOf(object)).to.equal(null)
    expect(stdout + stderr).to.not.match(/AKIA1|very-secret/)
    expect(stderr).to.contain('Secret demo-llm-s3 is left out')
    const json = JSON.parse((await runCli([...args, '--json'], {env: {...none(), ...keys}})).stdout) as {
      manifests: object[]
    }
    expect(json.manifests).to.deep.equal(objects)
  })

  it('explains with --check what breaks a rule, and leaves with 5', async () => {
    const fine = await runCli(['deploy', ...SERVICE, ...MODEL, '--check'], {env: none()})
    expect([fine.code, fine.stdout]).to.deep.equal([
      ...[0, 'Nothing runs as root or writes to its image, and everything has requests and limits.\n'],
    ])
    const path = join(folder(), 'p.yaml')
    writeFileSync(
      path,
      'metadata: {name: p}\nresources: {requests: {nvidia.com/gpu: 1}, limits: {cpu: 1, memory: 1Gi, nvidia.com/gpu: 2}}\n',
    )
    const broken = await runCli(['deploy', ...SERVICE, ...MODEL, '--check', '--profile', path], {env: none()})
    expect([broken.code, broken.stderr]).to.deep.equal([
      5,
      "Error: the manifests of 'demo-llm' break 1 of the rules\n",
    ])
    expect(broken.stdout).to.match(
      /spec\.predictor\.model\.resources\.limits\.nvidia\.com\/gpu +Kubernetes wants the limit of a device to be its request, 1/,
    )
    const json = await runCli(['deploy', ...SERVICE, ...MODEL, '--check', '--profile', path, '--json'], {
      env: none(),
    })
    expect([
      json.code,
      (JSON.parse(json.stdout) as {violations: object[]}).violations,
    ]).to.have.nested.property('1.length', 1)
    expect(json.code).to.equal(5)
    expect(JSON.parse(json.stdout)).to.have.nested.property('error.code', 'POLICY_BROKEN')
  })

  it('says that there is none, with 3', async () => {
    for (const args of [
      ['deploy', ...SERVICE, ...MODEL],
      ['deploy', 'status', ...SERVICE],
      ['undeploy', ...SERVICE],
    ]) {
      const {code, stderr} = await runCli(args, {env: none()})
      expect(code, stderr).to.equal(3)
      expect(stderr).to.match(/^Error: (no Kubernetes cluster can be reached|kubectl is not installed)/)
    }
  })
})

describeWith(['kubectl'], 'kvctl deploy through kubectl', () => {
  const folder = temporaryFolder()
  let api: KubeApi
  const env = (): NodeJS.ProcessEnv => ({KUBECONFIG: join(folder(), 'config'), HOME: folder()})
  const run = async (...args: string[]): Promise<CliResult> => runCli(args, {env: env()})

  beforeEach(async () => {
    api = await startCluster(folder())
    api.objects.push({
      ...{kind: 'ClusterServingRuntime', metadata: {name: 'kserve-vllmserver'}},
      spec: {supportedModelFormats: [{name: 'vLLM', version: '1'}]},
    })
  })
  afterEach(() => api.close())

  const setReady = (service: KubeObject, isReady: boolean): void => {
    const status = isReady ? 'True' : 'False'
    service['status'] = {
      url: 'http://demo-llm-ml-prod.example.com',
      address: {url: 'http://demo-llm.ml-prod.svc.cluster.local'},
      deploymentMode: 'Standard',
      conditions: [
        {type: 'IngressReady', status: 'True'},
        {type: 'PredictorReady', status, ...(!isReady && {reason: 'MinimumReplicasUnavailable'})},
        {type: 'Ready', status, lastTransitionTime: new Date().toISOString()},
      ],
      modelStatus: {
        transitionStatus: isReady ? 'UpToDate' : 'InProgress',
        states: {activeModelState: isReady ? 'Loaded' : '', targetModelState: 'Loading'},
      },
    }
  }
  const addPod = (status: object): void => {
    const labels = {'serving.kserve.io/inferenceservice': 'demo-llm'}
    api.objects.push({
      ...{kind: 'Pod', metadata: {name: 'demo-llm-predictor-1', namespace: 'ml-prod', labels}},
      ...{spec: {nodeName: 'gpu-1', containers: [{name: 'kserve-container'}]}, status},
    })
  }
  const READY_POD = {
    phase: 'Running',
    conditions: [{type: 'Ready', status: 'True'}],
    containerStatuses: [{name: 'kserve-container', ready: true, restartCount: 0}],
  }

  it('applies, tells how far it is, waits until it is ready, shows it, and removes it', async () => {
    let lookedAt = 0
    api.onApply = object => {
      if (object.kind === 'InferenceService') setReady(object, false)
    }
    const child = startCli(['deploy', ...SERVICE, ...MODEL, '--json'], {env: env()})
    let [out, told] = ['', '']
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (told += text))
    const ended = new Promise<number | null>(resolve => child.once('close', resolve))
    await until(
      () => told.includes('PredictorReady is not there yet (MinimumReplicasUnavailable)'),
      () => told,
    )
    lookedAt = api.requests.length
    addPod(READY_POD)
    setReady(api.find('InferenceService', 'demo-llm')!, true)
    expect(await ended, told).to.equal(0)
    expect(api.requests.length).to.be.above(lookedAt)
    expect(JSON.parse(out)).to.deep.include({
      ...{name: 'demo-llm', namespace: 'ml-prod', ready: true, url: 'http://demo-llm-ml-prod.example.com'},
      ...{cluster_url: 'http://demo-llm.ml-prod.svc.cluster.local', openai_path: '', model_state: 'Loaded'},
    })
    expect(told).to.match(
      /^applied ConfigMap demo-llm-config\napplied InferenceService demo-llm\n0 of 0 pods ready/,
    )

    const usage = {cpu: '1500m', memory: '12288Mi'}
    api.objects.push({
      ...{kind: 'PodMetrics', timestamp: new Date().toISOString(), window: '30s'},
      metadata: {...api.find('Pod', 'demo-llm-predictor-1')!.metadata},
      containers: [{name: 'kserve-container', usage}],
    })
    api.logs.set('', 'INFO: Application startup complete.\n')
    const status = await run('deploy', 'status', ...SERVICE)
    expect(status.stdout).to.match(/^InferenceService 'demo-llm' in ml-prod: ready\n/)
    expect(status.stdout).to.contain('demo-llm-predictor-1 says:\n  INFO: Application startup complete.\n')
    expect(status.stdout).to.match(/demo-llm-predictor-1 +Running +yes +0 +1500m +12288Mi +gpu-1/)

    const removed = await run('undeploy', ...SERVICE, '--json')
    expect([removed.code, JSON.parse(removed.stdout)]).to.deep.equal([
      ...[0, {removed: ['InferenceService demo-llm', 'ConfigMap demo-llm-config']}],
    ])
    expect(api.objects.map(({kind}) => kind)).to.deep.equal(['ClusterServingRuntime', 'Pod', 'PodMetrics'])
    const again = await run('undeploy', ...SERVICE)
    expect([again.code, again.stderr.split('\n')[0]]).to.deep.equal([
      ...[4, "Error: there is no InferenceService or LLMInferenceService 'demo-llm' in namespace ml-prod"],
    ])
  })

  it('spells the format as the cluster’s runtime does, takes the Hugging Face server where vLLM’s is missing, and warns where none is', async () => {
    api.onApply = object => setReady(object, true)
    api.objects[0]!['spec'] = {supportedModelFormats: [{name: 'vllm'}]}
    expect((await run('deploy', ...SERVICE, ...MODEL)).code).to.equal(0)
    const format = (): unknown =>
      (
        api.find('InferenceService', 'demo-llm')!['spec'] as {
          predictor: {model: {modelFormat: {name: string}}}
        }
      ).predictor.model.modelFormat.name
    expect(format()).to.equal('vllm')
    api.objects[0]!['spec'] = {supportedModelFormats: [{name: 'huggingface'}]}
    expect((await run('deploy', ...SERVICE, ...MODEL)).stderr).to.contain('its Hugging Face server runs vLLM')
    expect(format()).to.equal('huggingface')
    const {args} = (
      api.find('InferenceService', 'demo-llm')!['spec'] as {predictor: {model: {args: string[]}}}
    ).predictor.model
    expect(args.slice(0, 2)).to.deep.equal(['--model_name=demo-llm', '--backend=vllm'])
    api.objects[0]!['spec'] = {supportedModelFormats: [{name: 'sklearn'}]}
    expect((await run('deploy', ...SERVICE, ...MODEL)).stderr).to.contain(
      'no serving runtime of the cluster declares',
    )
    expect(format()).to.equal('vLLM')
  })

  it('fails with the pod’s own reason when its time is over, and with the words of the documentation', async () => {
    api.onApply = object => {
      if (object.kind === 'InferenceService') setReady(object, false)
    }
    addPod({
      phase: 'Pending',
      conditions: [
        {
          type: 'PodScheduled',
          status: 'False',
          message: '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.',
        },
      ],
    })
    const late = await run('deploy', ...SERVICE, ...MODEL, '--timeout', '0.5')
    expect(late.code).to.equal(4)
    expect(late.stderr).to.match(
      /Error: Service not ready: 'demo-llm' after \d s: demo-llm-predictor-1: unschedulable: 0\/3 nodes are available/,
    )
    api.objects.pop()
    const waiting = {reason: 'CrashLoopBackOff', message: 'back-off'}
    addPod({
      phase: 'Running',
      containerStatuses: [
        {
          ...{name: 'kserve-container', ready: false, restartCount: 4, state: {waiting}},
          lastState: {terminated: {reason: 'Error', exitCode: 1}},
        },
      ],
    })
    api.logs.set(
      'demo-llm-predictor-1/kserve-container',
      'loading\nRuntimeError: CUDA out of memory. Tried to allocate 1 GiB',
    )
    const memory = await run('deploy', ...SERVICE, ...MODEL, '--timeout', '0.5', '--json')
    expect(memory.code).to.equal(4)
    expect(JSON.parse(memory.stdout)).to.deep.include({
      error: {
        ...{code: 'OUT_OF_MEMORY', exit_code: 4},
        message: 'Out of memory: RuntimeError: CUDA out of memory. Tried to allocate 1 GiB',
        suggestions: [
          'reduce gpu_memory_utilization in the profile',
          'increase resource limits in the profile',
        ],
      },
    })
    const status = await run('deploy', 'status', ...SERVICE)
    expect(status.stdout).to.contain('  RuntimeError: CUDA out of memory. Tried to allocate 1 GiB\n')
  })

  it('names verb, resource and service account of what is not permitted', async () => {
    api.denied.add('patch inferenceservices')
    const {code, stderr} = await run('deploy', ...SERVICE, ...MODEL)
    expect(code).to.equal(4)
    expect(stderr).to.contain(
      'Error: Permission denied: service account ml:bench may not patch inferenceservices.serving.kserve.io in namespace ml-prod\n',
    )
  })

  it('leaves fields to whoever manages them, unless told otherwise', async () => {
    api.onApply = object => setReady(object, true)
    expect((await run('deploy', ...SERVICE, ...MODEL)).code).to.equal(0)
    api.foreign.set('InferenceService/demo-llm spec.predictor.maxReplicas', 'helm')
    const more = ['deploy', ...SERVICE, ...MODEL, '--max-replicas', '3']
    const refused = await run(...more)
    expect([refused.code, refused.stderr.split('\n').find(line => line.startsWith('Error'))]).to.deep.equal([
      ...[4, 'Error: somebody else manages fields of it: conflict with "helm": .spec.predictor.maxReplicas'],
    ])
    expect((await run(...more, '--force-conflicts')).code).to.equal(0)
    const service = api.find('InferenceService', 'demo-llm')!
    service.metadata.labels = {}
    const foreign = await run('undeploy', ...SERVICE)
    expect([foreign.code, foreign.stderr]).to.deep.equal([
      ...[4, "Error: kvctl did not deploy 'demo-llm'\n  Try: remove it all the same with --force\n"],
    ])
  })

  it('waits for an API server that is busy, and tells of a cluster without KServe', async () => {
    api.onApply = object => setReady(object, true)
    api.throttled = 1
    expect((await run('deploy', ...SERVICE, ...MODEL)).code).to.equal(0)
    api.hasKserve = false
    const {code, stderr} = await run('deploy', 'status', ...SERVICE)
    expect(code).to.equal(4)
    expect(stderr).to.contain('KServe is not installed there')
  })

  it('prints with --dry-run what kubectl apply takes', async () => {
    const {stdout} = await run('deploy', ...SERVICE, ...MODEL, '--dry-run')
    const {execa} = await import('execa')
    const applied = await execa(
      'kubectl',
      ['apply', '--server-side', '--field-manager=kvctl', '--validate=false', '-f', '-'],
      {
        ...{input: stdout, env: env() as Record<string, string>},
      },
    )
    expect(applied.stdout.split('\n')).to.have.length(2)
    expect(api.find('InferenceService', 'demo-llm')).to.be.an('object')
  })
})
