import {expect} from 'chai'
import {parse} from 'yaml'
import {checkPolicies} from '../../../src/lib/kube/check-policies.js'
import {
  checkNames,
  resourcesOf,
  s3FromEnvironment,
  type DeployPlan,
} from '../../../src/lib/kube/deploy-plan.js'
import type {Manifest} from '../../../src/lib/kube/manifest.js'
import {manifestsOf} from '../../../src/lib/kube/manifests.js'
import {serverFlags} from '../../../src/lib/kube/server-flags.js'
import {loadProfile, shippedProfiles} from '../../../src/lib/profiles/index.js'
import {readRepositoryFile} from '../../support/cli.js'
import {refusalOf} from '../../support/kube/schemas.js'

const plan = (changes: Partial<DeployPlan> = {}): DeployPlan => ({
  ...{
    kind: 'InferenceService',
    service: 'demo-llm',
    namespace: 'ml-prod',
    modelUri: 's3://models/llama-3.1-8b/',
  },
  ...{profileName: 'standard', features: {gpu_memory_utilization: 0.9}, runtime: null, format: 'vLLM'},
  resources: {
    requests: {cpu: '2000m', memory: '8Gi', 'nvidia.com/gpu': '1'},
    limits: {cpu: '4000m', memory: '16Gi', 'nvidia.com/gpu': '1'},
  },
  ...{minReplicas: 1, maxReplicas: 1, s3: null, statsImage: null},
  ...changes,
})
const S3 = {
  accessKeyId: 'id',
  secretAccessKey: 'secret',
  region: 'eu-1',
  endpointUrl: 'http://minio.example:9000/',
}

describe('the manifests of a deployment', () => {
  it('are the InferenceService of the documentation, as KServe needs it', () => {
    const {manifests} = manifestsOf(plan())
    expect(manifests.map(({kind, metadata}) => `${kind}/${metadata.name}`)).to.deep.equal([
      ...['ConfigMap/demo-llm-config', 'InferenceService/demo-llm'],
    ])
    const [config, service] = manifests
    expect(JSON.parse((config!['data'] as Record<string, string>)['model_config.json']!)).to.deep.equal({
      ...{gpu_memory_utilization: 0.9, quantization: null, max_model_len: null},
    })
    expect(service).to.deep.include({apiVersion: 'serving.kserve.io/v1beta1', kind: 'InferenceService'})
    expect(service!.metadata).to.deep.equal({
      ...{name: 'demo-llm', namespace: 'ml-prod'},
      labels: {app: 'demo-llm', 'app.kubernetes.io/managed-by': 'kvctl'},
      annotations: {'kvctl.dev/profile': 'standard'},
    })
    const {predictor} = service!['spec'] as {predictor: {model: Record<string, unknown>}}
    expect(predictor.model).to.deep.include({
      modelFormat: {name: 'vLLM'},
      storageUri: 's3://models/llama-3.1-8b/',
      args: ['--gpu-memory-utilization=0.9'],
      env: [
        {name: 'GPU_MEMORY_UTILIZATION', value: '0.90'},
        {name: 'HOME', value: '/tmp'},
      ],
      resources: plan().resources,
    })
  })

  it('of an LLMInferenceService refuse what it does not take', () => {
    const llm = {kind: 'LLMInferenceService', modelUri: 'hf://Qwen/Qwen3-8B'} as const
    for (const [changes, names] of [
      [{maxReplicas: 4}, '--max-replicas 4'],
      [{minReplicas: 0}, '--min-replicas 0'],
      [{runtime: 'kserve-vllmserver'}, '--runtime'],
      [{modelUri: 'gs://bucket/model'}, "'gs://bucket/model'"],
    ] as const)
      expect(() => manifestsOf(plan({...llm, ...changes}))).to.throw(names)
    const [, service] = manifestsOf(plan({...llm, minReplicas: 3, maxReplicas: 3})).manifests
    expect(service).to.have.nested.property('spec.replicas', 3)
  })

  const kinds: [string, Partial<DeployPlan>][] = [
    ['an InferenceService', {}],
    [
      'one with a Secret, a runtime, a MIG slice and a sidecar',
      {
        ...{
          s3: S3,
          runtime: 'kserve-vllmserver',
          statsImage: 'registry.example/kvctl:1',
          minReplicas: 0,
          maxReplicas: 4,
        },
        resources: {
          requests: {cpu: '2', memory: '8Gi', 'nvidia.com/mig-3g.40gb': '1'},
          limits: {cpu: '2', memory: '8Gi', 'nvidia.com/mig-3g.40gb': '1'},
        },
      },
    ],
    ['an LLMInferenceService', {kind: 'LLMInferenceService', modelUri: 'hf://Qwen/Qwen3-8B', s3: S3}],
  ]
  for (const [what, changes] of kinds) {
    it(`pass the schemas of KServe 0.20 and of Kubernetes, and break no policy: ${what}`, () => {
      const {manifests} = manifestsOf(plan(changes))
      for (const manifest of manifests) expect(refusalOf(manifest)).to.equal(null)
      expect(checkPolicies(manifests)).to.deep.equal([])
    })
  }

  it('are refused with a typo, so that these schemas can fail', () => {
    const {manifests} = manifestsOf(plan())
    const text = JSON.stringify(manifests.at(-1))
    for (const [from, to] of [
      ['modelFormat', 'modelformat'],
      ['storageUri', 'storageURI'],
      ['runAsNonRoot', 'runAsNonroot'],
      ['"limits"', '"limit"'],
      ['"name":"kvctl-tmp","mountPath"', '"name":"other","mountPath"'],
    ] as const)
      expect(refusalOf(JSON.parse(text.replace(from, to)) as Manifest), from).to.be.a('string')
  })

  it('of the DaemonSet that shows GPUs pass them too, and break no policy', () => {
    const object = parse(readRepositoryFile('examples/kubernetes/stats-daemonset.yaml')) as Manifest
    expect(refusalOf(object)).to.equal(null)
    expect(checkPolicies([object])).to.deep.equal([])
    const {args} = (object as unknown as {spec: {template: {spec: {containers: {args: string[]}[]}}}}).spec
      .template.spec.containers[0]!
    expect(args.slice(0, 3)).to.deep.equal(['serve', '--api', 'stats,vram,system'])
  })

  it('of every shipped profile are sound', async () => {
    for (const name of await shippedProfiles()) {
      const {profile} = await loadProfile(name)
      const {manifests} = manifestsOf(
        plan({features: profile.vllm_features, resources: resourcesOf(profile)}),
      )
      for (const manifest of manifests) expect(refusalOf(manifest), name).to.equal(null)
      expect(checkPolicies(manifests), name).to.deep.equal([])
    }
  })

  it('have S3 keys in a Secret, which the service account names', () => {
    const [secret, account] = manifestsOf(plan({s3: S3})).manifests
    expect(secret).to.deep.include({
      kind: 'Secret',
      stringData: {AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret'},
    })
    expect(secret!.metadata.annotations).to.include({
      'serving.kserve.io/s3-endpoint': 'minio.example:9000',
      ...{'serving.kserve.io/s3-usehttps': '0', 'serving.kserve.io/s3-region': 'eu-1'},
    })
    expect(account).to.deep.include({kind: 'ServiceAccount', secrets: [{name: 'demo-llm-s3'}]})
  })

  it('take keys from the environment, and say which is missing', () => {
    expect(s3FromEnvironment({AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b'})).to.deep.equal({
      ...{accessKeyId: 'a', secretAccessKey: 'b', region: null, endpointUrl: null},
    })
    expect(() => s3FromEnvironment({AWS_ACCESS_KEY_ID: 'a'})).to.throw('needs AWS_SECRET_ACCESS_KEY')
    const keys = {AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b'}
    expect(() => s3FromEnvironment({...keys, S3_ENDPOINT_URL: 'minio:9000'})).to.throw("'minio:9000'")
  })

  it('have names that KServe takes', () => {
    const names = {service: 'demo', namespace: 'ml', modelUri: 'hf://a/b'}
    expect(() => checkNames(names)).not.to.throw()
    for (const service of ['Demo', '1demo', 'demo-', 'a'.repeat(41), ''])
      expect(() => checkNames({...names, service}), service).to.throw('is no name of an InferenceService')
    expect(() => checkNames({...names, namespace: 'ML'})).to.throw("'ML'")
    for (const modelUri of ['models/llama', 'ftp://host/x', 's3://'])
      expect(() => checkNames({...names, modelUri}), modelUri).to.throw(`'${modelUri}'`)
  })
})

describe('features of a profile', () => {
  it('become arguments of a current vLLM', () => {
    expect(
      serverFlags({
        ...{gpu_memory_utilization: 0.85, quantization: 'awq', enable_auto_tool_choice: true},
        ...{enforce_eager: false, tool_call_parser: 'hermes', max_model_len: 4096},
        ...{speculative_model: 'org/draft', num_speculative_tokens: 5, guided_decoding_backend: 'outlines'},
      }),
    ).to.deep.equal({
      args: [
        ...['--gpu-memory-utilization=0.85', '--quantization=awq', '--enable-auto-tool-choice'],
        ...['--tool-call-parser=hermes', '--max-model-len=4096'],
        '--speculative-config={"model":"org/draft","num_speculative_tokens":5}',
        '--structured-outputs-config.backend=outlines',
      ],
      notes: [],
    })
  })

  it('that vLLM has no more are left out and told', () => {
    const {args, notes} = serverFlags({
      ...{use_v2_block_manager: true, num_scheduler_steps: 8, load_in_8bit: true, device: 'cpu'},
    })
    expect(args).to.deep.equal(['--quantization=bitsandbytes'])
    expect(notes).to.have.length(3)
    expect(notes[0]).to.equal('use_v2_block_manager has no effect any more and is left out')
  })
})

describe('policies', () => {
  it('name what is broken, where, and what to do', () => {
    const {manifests} = manifestsOf(
      plan({resources: {requests: {cpu: '1', 'nvidia.com/gpu': '2'}, limits: {'nvidia.com/gpu': '1'}}}),
    )
    expect(checkPolicies(manifests).map(({path, rule}) => [path, rule])).to.deep.equal([
      ['spec.predictor.model.resources.limits.cpu', 'limits'],
      ['spec.predictor.model.resources.requests.memory', 'requests'],
      ['spec.predictor.model.resources.limits.memory', 'limits'],
      ['spec.predictor.model.resources.limits.nvidia.com/gpu', 'gpu-limits'],
    ])
    const bare: Manifest = {
      ...{apiVersion: 'apps/v1', kind: 'Deployment', metadata: {name: 'x', namespace: 'y'}},
      spec: {
        template: {
          spec: {
            containers: [
              {
                env: [{name: 'API_KEY', value: 'sk-1'}],
                resources: {requests: {cpu: '1', memory: '1Gi'}, limits: {cpu: '1', memory: '1Gi'}},
              },
            ],
          },
        },
      },
    }
    expect(checkPolicies([bare]).map(({rule}) => rule)).to.deep.equal([
      ...['non-root', 'read-only-root', 'no-escalation', 'plain-secret'],
    ])
    expect(checkPolicies([bare])[3]).to.include({
      object: 'Deployment/x',
      path: 'spec.template.spec.containers[0].env.API_KEY',
    })
  })
})
