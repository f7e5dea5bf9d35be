import {once} from 'node:events'
import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {createServer, request, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {expect} from 'chai'
import type {RunResults} from '../../src/lib/runs/index.js'
import {endedAfterEach} from '../support/children.js'
import {runCli} from '../support/cli.js'
import {startEngine} from '../support/engine-process.js'
import type {KubeApi, KubeObject} from '../support/kube/api-server.js'
import {startCluster} from '../support/kube/start-cluster.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'
import {until} from '../support/until.js'

/** How long a pod takes to be ready once it is made. */
const START_MS = 1500

describeWith(['kubectl'], 'a service without pods', () => {
  const children = endedAfterEach()
  const folder = temporaryFolder()
  let api: KubeApi
  let activator: Server

  beforeEach(async () => {
    api = await startCluster(folder())
  })
  afterEach(async () => {
    activator.closeAllConnections()
    activator.close()
    await api.close()
  })

  const podOf = (isReady: boolean): KubeObject => {
    const now = new Date().toISOString()
    return {
      kind: 'Pod',
      metadata: {
        ...{name: 'demo-predictor-1', namespace: 'ml', creationTimestamp: now},
        labels: {'serving.kserve.io/inferenceservice': 'demo'},
      },
      spec: {containers: [{name: 'kserve-container'}]},
      status: {
        ...{phase: isReady ? 'Running' : 'Pending', startTime: now},
        conditions: [{type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: now}],
      },
    }
  }

  /**
   * Makes a pod when a request comes and holds requests until it is ready, as Knative's activator does.
   *
   * @see knative/serving:docs/scaling/SYSTEM.md
   */
  const startActivator = async (engineUrl: string, seen: string[], cluster: string): Promise<string> => {
    let ready: Promise<void> | null = null
    const wake = async (): Promise<void> => {
      const pod = podOf(false)
      api.objects.push(pod)
      await new Promise(resolve => setTimeout(resolve, START_MS))
      pod['status'] = podOf(true)['status']
      // Whoever is let through before the watch has told of it counts as cold.
      await until(
        () => existsSync(cluster) && readFileSync(cluster, 'utf8').includes('"from"'),
        () => 'the pod was not seen to be ready',
      )
    }
    activator = createServer((asked, answer) => {
      seen.push(`${asked.method} ${asked.url}`)
      ready ??= wake()
      void ready.then(() => {
        const passed = request(
          engineUrl + asked.url!,
          {method: asked.method!, headers: asked.headers},
          got => {
            answer.writeHead(got.statusCode!, got.headers)
            got.pipe(answer)
          },
        )
        passed.once('error', () => answer.destroy())
        asked.pipe(passed)
      })
    }).listen(0, '127.0.0.1')
    await once(activator, 'listening')
    return `http://127.0.0.1:${(activator.address() as AddressInfo).port}`
  }

  it('is asked for nothing before the first request, which wakes it: those that waited are cold, the others warm', async () => {
    const engine = await startEngine('--no-segment', '--served-model-name', 'demo', '--itl-ms', '1')
    children.push(engine.child)
    const path = join(folder(), 'run')
    const seen: string[] = []
    api.objects.push({
      ...{kind: 'InferenceService', metadata: {name: 'demo', namespace: 'ml'}},
      spec: {predictor: {minReplicas: 0, model: {modelFormat: {name: 'vLLM'}}}},
      status: {
        url: await startActivator(engine.url, seen, join(path, 'cluster.json')),
        conditions: [{type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString()}],
      },
    })
    writeFileSync(join(folder(), 'p.yaml'), 'metadata: {name: p}\n')
    const load = [
      '--profile',
      join(folder(), 'p.yaml'),
      '--requests',
      '8',
      '--concurrency',
      '2',
      '--max-tokens',
      '4',
      '--ignore-eos',
      '--warmup',
      '0',
    ]
    const args = ['bench', '--namespace', 'ml', '--service', 'demo', ...load, '--output-dir', path]
    const env = {KUBECONFIG: join(folder(), 'config'), HOME: folder(), KUBERNETES_SERVICE_HOST: ''}
    const {code, stderr} = await runCli(args, {env})
    expect(code, stderr).to.equal(0)
    expect(stderr).to.contain('demo has no pod: nothing is asked of it before the first request')
    expect(new Set(seen)).to.deep.equal(new Set(['POST /v1/chat/completions', 'GET /metrics']))
    const results = JSON.parse(readFileSync(join(path, 'results.json'), 'utf8')) as RunResults
    expect(results.requests).to.deep.equal({total: 8, success: 8})
    expect(results).to.deep.include({cold_start_count: 1, cold_count: 2, warm_count: 6})
    expect(results.cold_ttft_p50_ms).to.be.above(START_MS * 0.9)
  })
})
