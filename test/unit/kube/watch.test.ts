import {join} from 'node:path'
import {expect} from 'chai'
import {systemClock} from '../../../src/lib/foundation/index.js'
import {followObjects, type NamedObject} from '../../../src/lib/kube/follow-objects.js'
import {recordPods, type Cluster} from '../../../src/lib/kube/index.js'
import {JsonDocuments} from '../../../src/lib/kube/json-documents.js'
import type {ClusterRecord} from '../../../src/lib/runs/index.js'
import {kubernetesCluster} from '../../../src/wiring/index.js'
import {startKubeApi, type KubeApi, type KubeObject} from '../../support/kube/api-server.js'
import {describeWith} from '../../support/requires.js'
import {temporaryFolder} from '../../support/temporary.js'
import {until} from '../../support/until.js'

const PATH = '/api/v1/namespaces/ml/pods'
const SELECTOR = 'serving.kserve.io/inferenceservice=demo'

describe('a stream of JSON documents', () => {
  it('is cut wherever it arrives, with braces and quotes in texts, one a line or over many', () => {
    const documents = [{a: 'x}"{\\'}, {b: [{c: 1}, []]}, {type: 'ADDED', object: {metadata: {name: 'é'}}}]
    for (const text of [
      documents.map(one => `${JSON.stringify(one)}\n`).join(''),
      documents.map(one => JSON.stringify(one, null, 4)).join('\n'),
    ]) {
      for (const size of [1, 2, 7, text.length]) {
        const cutter = new JsonDocuments()
        const found: unknown[] = []
        for (let at = 0; at < text.length; at += size) found.push(...cutter.push(text.slice(at, at + size)))
        expect(found).to.deep.equal(documents)
      }
    }
  })
})

describeWith(['kubectl'], 'a watch through kubectl', () => {
  const folder = temporaryFolder()
  const kubeconfig = process.env['KUBECONFIG']
  let api: KubeApi
  let cluster: Cluster
  let stopping: AbortController
  let pictures: string[][]
  let ended: Promise<unknown>

  const podOf = (name: string, labels = {[SELECTOR.split('=')[0]!]: 'demo'}): KubeObject => ({
    ...{kind: 'Pod', metadata: {name, namespace: 'ml', labels}, spec: {containers: []}, status: {}},
  })

  beforeEach(async () => {
    api = await startKubeApi()
    api.kubeconfig(join(folder(), 'config'))
    process.env['KUBECONFIG'] = join(folder(), 'config')
    cluster = await kubernetesCluster(null)
    stopping = new AbortController()
    pictures = []
  })
  afterEach(async () => {
    stopping.abort(new Error('the test is over'))
    await ended
    if (kubeconfig === undefined) delete process.env['KUBECONFIG']
    else process.env['KUBECONFIG'] = kubeconfig
    await api.close()
  })

  const follow = (patienceMs = 60_000): void => {
    const changed = (objects: readonly NamedObject[]): void => {
      pictures.push(objects.map(({metadata}) => metadata.name))
    }
    const options = {clock: systemClock, patienceMs}
    ended = followObjects(
      cluster,
      {path: PATH, labelSelector: SELECTOR},
      options,
      changed,
      stopping.signal,
    ).catch((error: unknown) => error)
  }
  const shows = async (...names: string[]): Promise<void> =>
    until(
      () => pictures.at(-1)?.join() === names.join(),
      () => `${JSON.stringify(pictures)}\n${api.requests.join('\n')}`,
    )
  const lists = (): number => api.requests.filter(line => !line.includes('watch=1')).length

  it('shows what is there, what comes, changes and goes, and nothing else', async () => {
    api.objects.push(podOf('one'), podOf('other', {}))
    follow()
    await shows('one')
    await until(
      () => api.watches === 1,
      () => 'no watch',
    )
    api.objects.push(podOf('two'))
    await shows('one', 'two')
    api.objects.splice(0, 1)
    await shows('two')
    expect(lists()).to.equal(1)
  })

  it('goes on where it was when the server ends it, and lists anew when it broke, is too old or refused', async () => {
    follow()
    const rewatched = async (change: () => void, name: string, listsNow: number): Promise<void> => {
      await until(
        () => api.watches === 1,
        () => 'no watch',
      )
      change()
      api.objects.push(podOf(name))
      await shows(...api.objects.map(({metadata}) => metadata.name))
      expect(lists()).to.equal(listsNow)
    }
    await rewatched(() => api.endWatches('closed'), 'a', 1)
    await rewatched(() => api.endWatches('broken'), 'b', 2)
    // In the open watch; then for one that begins.
    await rewatched(() => api.forget(), 'c', 3)
    await rewatched(
      () => {
        api.endWatches('closed')
        api.forget()
      },
      'd',
      4,
    )
    await rewatched(
      () => {
        api.endWatches('broken')
        api.throttled = 1
      },
      'e',
      6,
    )
  })

  it('ends at once with what waiting does not change, and with the last failure after its patience', async () => {
    api.denied.add('list pods')
    follow()
    expect(await ended).to.have.property(
      'message',
      'Permission denied: service account ml:bench may not list pods in namespace ml',
    )
    const gone = await startKubeApi()
    gone.kubeconfig(join(folder(), 'config'))
    await gone.close()
    follow(300)
    expect(await ended)
      .to.have.property('message')
      .that.matches(/^no Kubernetes cluster can be reached: .* was refused/)
  })

  it('records when pods were made, ready and gone, what they hold, and the GPUs of their nodes', async () => {
    const labels = {'nvidia.com/gpu.product': 'NVIDIA-A10'}
    api.objects.push(
      {kind: 'Node', metadata: {name: 'gpu-1', labels}},
      {kind: 'Node', metadata: {name: 'cpu-1'}},
    )
    const was: KubeObject = {
      ...podOf('demo-predictor-1'),
      spec: {nodeName: 'gpu-1', containers: [{name: 'kserve-container', resources: {limits: {cpu: 2}}}]},
      status: {
        conditions: [{type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:30Z'}],
        containerStatuses: [
          {name: 'kserve-container', state: {running: {startedAt: '2026-01-01T00:00:10Z'}}},
        ],
      },
    }
    was.metadata['creationTimestamp'] = '2026-01-01T00:00:00Z'
    api.objects.push(was)
    let nowMs = Date.parse('2026-01-01T01:00:00Z')
    const name = {kind: 'InferenceService', name: 'demo', namespace: 'ml'} as const
    const given = {name, context: null, clock: systemClock, nowMs: () => nowMs}
    const recording = recordPods(cluster, {...given, earlier: null})
    await recording.seen
    const kept: ClusterRecord[] = []
    recording.keep(async record => void kept.push(record))
    await until(
      () => kept.at(-1)?.nodes[0]?.gpu_product === 'NVIDIA-A10',
      () => JSON.stringify(kept),
    )
    expect(kept.at(-1)!.pods[0]!.finished_at).to.equal(null)
    await until(
      () => api.watches === 1,
      () => 'no watch',
    )
    nowMs += 60_000
    api.objects.splice(api.objects.indexOf(was), 1)
    // Its own watch sees the change no earlier than the recording's.
    follow()
    await shows()
    expect(await recording.stop(stopping.signal)).to.equal(null)
    expect(kept.at(-1)).to.deep.equal({
      ...{schema_version: 1, namespace: 'ml', service: 'demo', kind: 'InferenceService', context: null},
      is_watched: true,
      pods: [
        {
          ...{name: 'demo-predictor-1', node: 'gpu-1', created_at: '2026-01-01T00:00:00.000Z'},
          ...{started_at: '2026-01-01T00:00:10.000Z', finished_at: '2026-01-01T01:01:00.000Z'},
          ready: [{from: '2026-01-01T00:00:30.000Z', to: '2026-01-01T01:01:00.000Z'}],
          containers: [{name: 'kserve-container', requests: {}, limits: {cpu: '2'}}],
        },
      ],
      nodes: [{name: 'gpu-1', gpu_product: 'NVIDIA-A10', unavailable: null}],
    })
  })
})
