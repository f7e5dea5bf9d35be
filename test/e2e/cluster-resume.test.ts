import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import type {ClusterRecord, RunMeta, RunResults} from '../../src/lib/runs/index.js'
import {endedAfterEach} from '../support/children.js'
import {runCli, startCli, type CliResult} from '../support/cli.js'
import {startEngine} from '../support/engine-process.js'
import type {KubeApi, KubeObject} from '../support/kube/api-server.js'
import {startCluster} from '../support/kube/start-cluster.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'
import {until} from '../support/until.js'

const OF = ['--namespace', 'ml', '--service', 'demo']
const LOAD = ['--concurrency', '2', '--max-tokens', '8', '--warmup', '0', '--ignore-eos']
const PRICES = ['--cost-config', 'cost.yaml']

describeWith(['kubectl'], 'the pods of a run that does not go as planned', () => {
  const children = endedAfterEach()
  const folder = temporaryFolder()
  let api: KubeApi
  let service: KubeObject

  beforeEach(async () => {
    api = await startCluster(folder())
    writeFileSync(
      join(folder(), 'cost.yaml'),
      'gpu: {NVIDIA-A100-80GB: 4.90, NVIDIA-A10: 1.10}\ncpu: {hourly_per_core: 0.04}\nmemory: {hourly_per_gib: 0.005}\noverhead: {fraction: 0}\n',
    )
    const node = (name: string, product: string): KubeObject => ({
      ...{kind: 'Node', metadata: {name, labels: {'nvidia.com/gpu.product': product}}},
    })
    service = {kind: 'InferenceService', metadata: {name: 'demo', namespace: 'ml'}}
    api.objects.push(node('gpu-1', 'NVIDIA-A100-SXM4-80GB'), node('gpu-2', 'NVIDIA-A10'), service)
  })
  afterEach(() => api.close())

  const env = (): NodeJS.ProcessEnv => ({
    ...{KUBECONFIG: join(folder(), 'config'), HOME: folder(), KUBERNETES_SERVICE_HOST: ''},
    ...{KVMINI_NAMESPACE: '', KVMINI_COST_CONFIG: '', PROMETHEUS_URL: ''},
  })
  const run = async (...args: string[]): Promise<CliResult> => runCli(args, {env: env(), cwd: folder()})
  const path = (): string => join(folder(), 'run')
  const read = (name: string): unknown => JSON.parse(readFileSync(join(path(), name), 'utf8'))

  /** An engine behind the service, and a pod that serves since so many milliseconds. */
  const serve = async (pod: string, node: string, sinceMs: number): Promise<void> => {
    const engine = await startEngine('--no-segment', '--served-model-name', 'demo', '--itl-ms', '15')
    children.push(engine.child)
    service['status'] = {
      url: engine.url,
      conditions: [{type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString()}],
    }
    const startedAt = new Date(Date.now() - sinceMs).toISOString()
    api.objects.push({
      kind: 'Pod',
      metadata: {
        ...{name: pod, namespace: 'ml', creationTimestamp: startedAt},
        labels: {'serving.kserve.io/inferenceservice': 'demo'},
      },
      spec: {
        nodeName: node,
        containers: [
          {
            name: 'kserve-container',
            resources: {requests: {cpu: '2', memory: '12Gi', 'nvidia.com/gpu': '1'}},
          },
        ],
      },
      status: {
        ...{phase: 'Running', startTime: startedAt},
        conditions: [{type: 'Ready', status: 'True', lastTransitionTime: startedAt}],
        containerStatuses: [
          {name: 'kserve-container', ready: true, restartCount: 0, state: {running: {startedAt}}},
        ],
      },
    })
  }
  const text = (name: string): string =>
    existsSync(join(path(), name)) ? readFileSync(join(path(), name), 'utf8') : ''
  const answered = (): number => text('requests.csv').split('\n').length - 2
  /** Ends a run in the middle. @returns its exit status */
  const cutShort = async (signal: NodeJS.Signals): Promise<number | null> => {
    const args = ['bench', ...OF, ...LOAD, '--requests', '100', '--output-dir', path()]
    const child = startCli(args, {env: env(), cwd: folder()})
    children.push(child)
    let told = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (told += text))
    const ended = new Promise<number | null>(resolve => child.once('close', resolve))
    await until(
      () => answered() >= 6 && text('cluster.json').includes('A100'),
      () => told,
    )
    child.kill(signal)
    return ended
  }
  const HOURLY = {a100: 4.9 + 2 * 0.04 + 12 * 0.005, a10: 1.1 + 2 * 0.04 + 12 * 0.005}

  it('are in a run that was killed, which can be priced; a resumed one watches them again, and costs what each part did', async () => {
    await serve('demo-predictor-1', 'gpu-1', 60_000)
    expect(await cutShort('SIGKILL')).to.equal(null)
    // Nor does anything of it go on.
    await until(
      () => api.watches === 0,
      () => `${api.watches} watches are left`,
    )
    const killed = await run('cost', '--run-dir', path(), ...PRICES, '--json')
    expect(killed.code, killed.stderr).to.equal(0)
    const seconds = (read('results.json') as RunResults).window.seconds!
    expect((JSON.parse(killed.stdout) as RunResults).total_cost).to.be.closeTo(
      ...([(HOURLY.a100 * seconds) / 3600, 1e-9] as const),
    )

    api.objects.pop()
    await serve('demo-predictor-2', 'gpu-2', 0)
    const resumed = await run('bench', '--resume', '--run-dir', path())
    expect(resumed.code, resumed.stderr).to.equal(0)
    const {is_watched: isWatched, pods, nodes} = read('cluster.json') as ClusterRecord
    expect(isWatched).to.equal(true)
    expect(nodes.map(({gpu_product: product}) => product)).to.have.members([
      ...['NVIDIA-A100-SXM4-80GB', 'NVIDIA-A10'],
    ])
    const {parts} = read('meta.json') as RunMeta
    const [first, second] = pods
    expect([first!.name, second!.name, second!.finished_at]).to.deep.equal([
      ...['demo-predictor-1', 'demo-predictor-2', null],
    ])
    expect(Date.parse(first!.finished_at!)).to.be.below(parts[1]!.origin_epoch_ms)

    const whole = await run('cost', '--run-dir', path(), ...PRICES, '--json')
    expect(whole.code, whole.stderr).to.equal(0)
    const {window, requests, cold_count: cold} = read('results.json') as RunResults
    expect([requests, cold]).to.deep.equal([{total: 100, success: 100}, 0])
    const lengths = [
      parts[1]!.run_ms - (window.start! * 1000 - parts[0]!.origin_epoch_ms),
      window.end! * 1000 - parts[1]!.origin_epoch_ms,
    ]
    expect((JSON.parse(whole.stdout) as RunResults).total_cost).to.be.closeTo(
      ...([(HOURLY.a100 * lengths[0]! + HOURLY.a10 * lengths[1]!) / 3_600_000, 1e-9] as const),
    )
  })

  it('are in one that was stopped, which is resumed elsewhere where its service is gone', async () => {
    await serve('demo-predictor-1', 'gpu-1', 60_000)
    expect(await cutShort('SIGTERM')).to.equal(143)
    const {pods, nodes} = read('cluster.json') as ClusterRecord
    expect([pods[0]!.name, nodes[0]!.gpu_product]).to.deep.equal([
      'demo-predictor-1',
      'NVIDIA-A100-SXM4-80GB',
    ])
    const {url} = service['status'] as {url: string}
    api.objects.splice(0)
    const gone = await run('bench', '--resume', '--run-dir', path())
    expect(gone.code).to.equal(4)
    expect(gone.stderr).to.match(
      /^--url URL resumes the run elsewhere, also where demo is gone\nError: there is no/m,
    )
    const elsewhere = await run('bench', '--resume', '--run-dir', path(), '--url', url)
    expect(elsewhere.code, elsewhere.stderr).to.equal(0)
    expect(elsewhere.stderr).to.contain('Warning: pods of demo are not watched: there is no')
  })

  it('are there without their GPUs where nodes may not be read: the cost is open, with the permission that is missing, until they are named or may be', async () => {
    await serve('demo-predictor-1', 'gpu-1', 60_000)
    api.denied.add('get nodes')
    const bench = await run('bench', ...OF, ...LOAD, '--requests', '4', '--output-dir', path(), ...PRICES)
    const missing = 'Permission denied: service account ml:bench may not get nodes'
    expect([bench.code, bench.stderr]).to.satisfy(
      ([code, told]: [number, string]) =>
        code === 0 &&
        told.includes(`Warning: the GPUs of its pods are not known: ${missing}; kvctl cost --gpu-type`),
      bench.stderr,
    )
    expect(read('cluster.json')).to.have.nested.property('pods[0].ready[0].to', null)
    const {cost, total_cost: total, unavailable, window} = read('results.json') as RunResults
    expect([total, cost.breakdown]).to.deep.equal([null, {gpu: null, cpu: '$0.08', memory: '$0.06'}])
    expect(unavailable['cost']).to.contain(missing)

    const costOf = async (...args: string[]): Promise<number | null> => {
      const {code, stdout, stderr} = await run('cost', '--run-dir', path(), ...PRICES, ...args, '--json')
      expect(code, stderr).to.equal(0)
      return (JSON.parse(stdout) as RunResults).total_cost
    }
    const whole = (HOURLY.a100 * window.seconds!) / 3600
    expect(await costOf('--gpu-type', 'A100-80GB')).to.be.closeTo(whole, 1e-9)
    expect(await costOf()).to.equal(null)
    const standing = await run('cost', ...OF, '--duration', '1', ...PRICES)
    expect([standing.code, standing.stdout.split('\n')[0]]).to.deep.equal([0, 'N/A for 1 h'])
    expect(standing.stderr).to.contain(missing)
    api.denied.delete('get nodes')
    expect(await costOf(...OF)).to.be.closeTo(whole, 1e-9)
  })
})
