import {expect} from 'chai'
import {kubectlFailure} from '../../../src/lib/kube/kubectl.js'
import {
  judgeReadiness,
  notReady,
  type PodObject,
  type ReadinessInput,
  type ServiceObject,
} from '../../../src/lib/kube/readiness.js'
import {servingPod, serviceUrls} from '../../../src/lib/kube/service-urls.js'

const CHANGED_MS = Date.parse('2026-01-01T00:00:10Z')

type Status = NonNullable<ServiceObject['status']>

const service = (status: Status): ServiceObject => ({
  ...{kind: 'InferenceService', metadata: {name: 'demo', namespace: 'ml'}},
  status,
})
const ready = (at: string, status = 'True'): Status => ({
  conditions: [{type: 'Ready', status, lastTransitionTime: at}],
})
const input = (changes: Partial<ReadinessInput>): ReadinessInput => ({
  ...{service: service({}), pods: [], logs: new Map(), changedAtMs: CHANGED_MS, waitedMs: 60_000},
  ...changes,
})
const pod = (status: PodObject['status']): PodObject => ({metadata: {name: 'p'}, ...(status && {status})})
const container = (state: object, lastState: object = {}): PodObject =>
  pod({containerStatuses: [{name: 'kserve-container', ready: false, restartCount: 3, state, lastState}]})

describe('whether a service is ready', () => {
  it('is told by a condition of this specification, not of the one before', () => {
    expect(judgeReadiness(input({service: service(ready('2026-01-01T00:00:10Z'))})).is).to.equal('ready')
    const before = service(ready('2026-01-01T00:00:09Z'))
    expect(judgeReadiness(input({service: before, waitedMs: 14_000})).is).to.equal('waiting')
    const unchanged = input({service: service(ready('2020-01-01T00:00:00Z')), changedAtMs: null})
    expect(judgeReadiness(unchanged).is).to.equal('ready')
  })

  it('is told by pods that stay as they are where a change turns no condition, such as another number of replicas', () => {
    const readyPod = pod({conditions: [{type: 'Ready', status: 'True'}]})
    const seen = {service: service(ready('2020-01-01T00:00:00Z')), pods: [readyPod], waitedMs: 15_000}
    const is = (changes: Partial<ReadinessInput>): string => judgeReadiness(input({...seen, ...changes})).is
    expect(is({})).to.equal('ready')
    expect(is({waitedMs: 14_000})).to.equal('waiting')
    expect(is({pods: [readyPod, pod({phase: 'Pending'})]})).to.equal('waiting')
    const leaving = {...readyPod, metadata: {name: 'p', deletionTimestamp: '2026-01-01T00:00:11Z'}}
    expect(is({pods: [leaving]})).to.equal('waiting')
    const predictor = {latestCreatedRevision: 'demo-2', latestReadyRevision: 'demo-1'}
    expect(is({service: service({...seen.service.status, components: {predictor}})})).to.equal('waiting')
  })

  it('waits for the model too', () => {
    const loading = {...ready('2026-01-01T00:01:00Z'), modelStatus: {transitionStatus: 'InProgress'}}
    expect(judgeReadiness(input({service: service(loading)})).is).to.equal('waiting')
    const loaded = {...loading, modelStatus: {transitionStatus: 'UpToDate'}}
    expect(judgeReadiness(input({service: service(loaded)})).is).to.equal('ready')
  })

  it('shows how far it is', () => {
    const status: Status = {
      conditions: [
        {type: 'IngressReady', status: 'True'},
        {type: 'PredictorReady', status: 'False', reason: 'Deploying'},
        {type: 'Ready', status: 'False'},
      ],
      modelStatus: {states: {targetModelState: 'Loading'}},
    }
    expect(judgeReadiness(input({service: service(status), pods: [pod({phase: 'Running'})]}))).to.deep.equal({
      is: 'waiting',
      because: '0 of 1 pods ready, model Loading, PredictorReady is not there yet (Deploying)',
    })
  })

  it('says that a pod cannot be scheduled, and waits: a node may come', () => {
    const conditions = [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: '0/3 nodes: insufficient nvidia.com/gpu',
      },
    ]
    const unschedulable = input({pods: [pod({conditions})]})
    expect(judgeReadiness(unschedulable)).to.deep.equal({
      ...{is: 'waiting', because: 'p: unschedulable: 0/3 nodes: insufficient nvidia.com/gpu'},
    })
    expect(notReady(unschedulable)).to.include({
      ...{code: 'SERVICE_NOT_READY', exitCode: 4},
      message:
        "Service not ready: 'demo' after 60 s: p: unschedulable: 0/3 nodes: insufficient nvidia.com/gpu",
    })
  })

  const failures: [string, PodObject, Map<string, string>, string, RegExp][] = [
    [
      'an image that cannot be pulled',
      container({waiting: {reason: 'ImagePullBackOff', message: 'not found'}}),
      new Map(),
      'SERVICE_NOT_READY',
      /^Service not ready: 'demo': p, container kserve-container: ImagePullBackOff: not found$/,
    ],
    [
      'memory that was used up',
      container({waiting: {reason: 'CrashLoopBackOff'}}, {terminated: {reason: 'OOMKilled', exitCode: 137}}),
      new Map(),
      'OUT_OF_MEMORY',
      /^Out of memory: p, container kserve-container: OOMKilled after 3 restarts/,
    ],
    [
      'memory of a GPU that was used up',
      container({waiting: {reason: 'CrashLoopBackOff'}}, {terminated: {exitCode: 1}}),
      new Map([
        [
          'p/kserve-container',
          'loading\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\nend',
        ],
      ]),
      'OUT_OF_MEMORY',
      /^Out of memory: torch\.OutOfMemoryError: CUDA out of memory\. Tried to allocate 2 GiB$/,
    ],
    [
      'a program that crashes, with its last lines',
      container({waiting: {reason: 'CrashLoopBackOff'}}, {terminated: {exitCode: 2}}),
      new Map([['p/kserve-container', 'one\ntwo\nthree\nunknown flag --x']]),
      'SERVICE_NOT_READY',
      /CrashLoopBackOff after 3 restarts, last with status 2: two \| three \| unknown flag --x$/,
    ],
  ]
  for (const [what, one, logs, code, message] of failures) {
    it(`fails by ${what}, after the time in which pods try again`, () => {
      const early = judgeReadiness(input({pods: [one], logs, waitedMs: 29_000}))
      expect(early.is).to.equal('waiting')
      const late = judgeReadiness(input({pods: [one], logs}))
      expect(late.is).to.equal('failed')
      if (late.is !== 'failed') return
      expect(late.error).to.include({code, exitCode: 4})
      expect(late.error.message).to.match(message)
    })
  }

  it('fails by a specification that no runtime serves with 2, by a model that does not load with 4', () => {
    const by = (reason: string): number | null => {
      const status = {modelStatus: {lastFailureInfo: {reason, message: 'said'}}}
      const result = judgeReadiness(input({service: service(status)}))
      return result.is === 'failed' ? result.error.exitCode : null
    }
    for (const reason of [
      'NoSupportingRuntime',
      'RuntimeNotRecognized',
      'RuntimeDisabled',
      'InvalidPredictorSpec',
    ])
      expect(by(reason), reason).to.equal(2)
    expect([by('ModelLoadFailed'), by('RuntimeUnhealthy')]).to.deep.equal([4, 4])
  })
})

describe('the addresses of a service', () => {
  it('have OpenAI’s routes at the root for vLLM, below /openai for other runtimes', () => {
    const status = {url: 'http://demo.example.com', address: {url: 'http://demo.ml.svc.cluster.local'}}
    expect(serviceUrls(service(status), 'vLLM')).to.deep.equal({
      ...{
        externalUrl: 'http://demo.example.com',
        clusterUrl: 'http://demo.ml.svc.cluster.local',
        ...{moreUrls: [], openAiPath: ''},
      },
    })
    expect(serviceUrls(service(status), 'huggingface').openAiPath).to.equal('/openai')
  })

  it('are all that the gateways of an LLMInferenceService have, those of the cluster told apart', () => {
    const local = 'http://gateway.kserve.svc.cluster.local/ml/demo'
    const addresses = [local, 'https://gw.example.com/ml/demo', 'https://10.0.0.1/ml/demo'].map(url => ({
      url,
    }))
    const llm = {...service({addresses}), kind: 'LLMInferenceService'}
    expect(serviceUrls(llm, null)).to.deep.equal({
      ...{externalUrl: 'https://gw.example.com/ml/demo', clusterUrl: local},
      ...{moreUrls: ['https://10.0.0.1/ml/demo'], openAiPath: ''},
    })
    const none = {...service({}), kind: 'LLMInferenceService'}
    expect(serviceUrls(none, null)).to.deep.include({externalUrl: null, clusterUrl: null})
  })

  it('may be that of a pod that answers by itself, by TLS where its own probe says so', () => {
    const status = {conditions: [{type: 'Ready', status: 'True'}]}
    const podOf = (name: string, labels: Record<string, string>, scheme = 'HTTP'): PodObject => ({
      metadata: {name, labels},
      ...{spec: {containers: [{name: 'main', readinessProbe: {httpGet: {scheme}}}]}, status},
    })
    const component = (word: string) => ({'app.kubernetes.io/component': `llminferenceservice-${word}`})
    const others = [
      podOf('scheduler', component('router-scheduler')),
      podOf('prefill', {...component('workload-prefill'), 'llm-d.ai/role': 'prefill'}),
      podOf('worker', {...component('workload-worker'), 'llm-d.ai/role': 'decode'}),
    ]
    expect(servingPod('LLMInferenceService', others)).to.equal(null)
    const decode = podOf('decode', {...component('workload'), 'llm-d.ai/role': 'decode'}, 'HTTPS')
    expect(servingPod('LLMInferenceService', [...others, decode])).to.deep.equal({
      ...{name: 'decode', port: 8000, scheme: 'https'},
    })
    expect(servingPod('InferenceService', [podOf('p', {})])).to.deep.equal({
      ...{name: 'p', port: 8080, scheme: 'http'},
    })
    expect(servingPod('InferenceService', [{...podOf('p', {}), status: {}}])).to.equal(null)
  })
})

describe('failures of kubectl', () => {
  const said = (stderr: string, isTimedOut = false) =>
    kubectlFailure(['get', 'pods', '-n', 'ml'], stderr, isTimedOut)

  it('name who may not do what', () => {
    const error = said(
      'Error from server (Forbidden): inferenceservices.serving.kserve.io "demo" is forbidden: User "system:serviceaccount:ml:bench" cannot patch resource "inferenceservices" in API group "serving.kserve.io" in the namespace "ml"',
    )
    expect(error).to.include({
      ...{code: 'PERMISSION_DENIED', exitCode: 4},
      message:
        'Permission denied: service account ml:bench may not patch inferenceservices.serving.kserve.io in namespace ml',
    })
    expect(error.suggestions[1]).to.equal(
      'kubectl auth can-i patch inferenceservices.serving.kserve.io -n ml',
    )
  })

  const cases: [string, string, number][] = [
    [
      'The connection to the server localhost:8080 was refused - did you specify the right host or port?',
      'KUBERNETES_UNAVAILABLE',
      3,
    ],
    ['error: context "x" does not exist', 'KUBERNETES_UNAVAILABLE', 3],
    ['Unable to connect to the server: dial tcp: lookup nowhere: no such host', 'KUBERNETES_UNAVAILABLE', 3],
    ['Unable to connect to the server: dial tcp 10.0.0.1:443: i/o timeout', 'KUBERNETES_TIMEOUT', 3],
    ['error: the server doesn\'t have a resource type "inferenceservices"', 'KSERVE_MISSING', 4],
    ['error: Apply failed with 1 conflict: conflict with "helm": .spec.predictor', 'FIELD_CONFLICT', 4],
    ['Error from server (InternalError): it broke', 'KUBECTL_FAILED', 4],
  ]
  for (const [stderr, code, exitCode] of cases)
    it(`are told apart: ${stderr.slice(0, 60)}`, () => expect(said(stderr)).to.include({code, exitCode}))

  it('that come of silence are timeouts', () => {
    expect(said('', true)).to.include({
      code: 'KUBERNETES_TIMEOUT',
      message: 'Connection timeout: kubectl get pods: no answer',
    })
  })
})
