import {mkdirSync} from 'node:fs'
import {createServer, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {expect} from 'chai'
import type {Check, DoctorJson} from '../../src/lib/doctor/index.js'
import {runCli} from '../support/cli.js'
import {cudaStandIn} from '../support/cuda/stand-in.js'
import {endEngine, startEngine} from '../support/engine-process.js'
import {listenLow} from '../support/listen-low.js'
import {bareDriver, fullGpu, gpuIdentity, ofGpu} from '../support/nvml/driver-facts.js'
import {standInDriver, type Facts} from '../support/nvml/stand-in.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'

/** Of this machine, whatever it is: only what a test says of it. */
const QUIET = {
  NVIDIA_VISIBLE_DEVICES: '',
  KUBERNETES_SERVICE_HOST: '',
  KVCTL_NVML_PATH: '',
  KVCTL_CUDA_PATH: '',
}

describe('kvctl doctor', () => {
  const folder = temporaryFolder()
  const examine = async (
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<{code: number; checks: Map<string, Check>; stderr: string}> => {
    const shm = join(folder(), 'shm')
    mkdirSync(shm, {recursive: true})
    // A loaded machine may need seconds to start a process.
    const patience = args.includes('--timeout') ? [] : ['--timeout', '30s']
    const result = await runCli(['doctor', '--json', ...patience, ...args], {
      env: {...QUIET, KVCTL_SHM_DIR: shm, ...env},
    })
    const {checks} = JSON.parse(result.stdout) as DoctorJson
    return {
      code: result.code,
      stderr: result.stderr,
      checks: new Map(checks.map(check => [check.name, check])),
    }
  }

  it('finds nothing wrong with kvctl’s own tools here, and tells each finding with its fix', async () => {
    const {code, stdout} = await runCli(['doctor'], {env: {...QUIET, KVCACHED_PAGE_SIZE_MB: '3'}})
    expect(code).to.equal(4)
    expect(stdout).to.match(/^ok {7}node {2,}Node \d+/m)
    expect(stdout).to.match(/^ok {7}native-calls/m)
    expect(stdout).to.match(
      /^fail {5}variable KVCACHED_PAGE_SIZE_MB {2}.*'3' must be a positive multiple of 2\n {10,}→ export/m,
    )
    expect(stdout.trimEnd().split('\n').at(-1)).to.match(
      /^\d+ ok, \d+ warnings?, \d+ failures?, \d+ skipped$/,
    )
  })

  it('fails a driver library that was named and is not there', async () => {
    const {code, checks} = await examine([], {
      KVCTL_NVML_PATH: '/nowhere/libnvidia-ml.so.1',
      KVCTL_CUDA_PATH: '/nowhere/libcuda.so.1',
    })
    expect(code).to.equal(4)
    expect(checks.get('driver')).to.include({status: 'fail'})
    expect(checks.get('driver')!.detail).to.contain('/nowhere/libnvidia-ml.so.1')
    expect(checks.get('cuda-library')!.detail).to.contain('/nowhere/libcuda.so.1')
    expect(checks.get('cuda-library')!.fix).to.contain('KVCTL_CUDA_PATH')
  })

  it('asks a server for its figures twice, and engines for their health', async () => {
    let server: Server | null = null
    try {
      server = createServer((_, reply) => {
        reply.writeHead(500, {'content-type': 'application/json'})
        reply.end('{"error":"Failed to query GPU: NVML not initialized"}')
      }).listen(0, '127.0.0.1')
      await new Promise(resolve => server!.once('listening', resolve))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const {code, checks} = await examine(
        ['--url', url, '--engine-url', url, '--engine-url', 'http://127.0.0.1:1'],
        {},
      )
      expect(code).to.equal(4)
      expect(checks.get('cached-sample')!.detail).to.equal(
        `${url}: Failed to query GPU: NVML not initialized`,
      )
      expect(checks.get(`engine ${url}`)!.detail).to.contain('/health answers 500')
      expect(checks.get('engine http://127.0.0.1:1')).to.include({status: 'fail'})
    } finally {
      server?.close()
    }
  })

  it('examines engines that KVCTL_ENGINE_URLS names, and those behind segments wherever they listen', async () => {
    const {checks: named} = await examine([], {KVCTL_ENGINE_URLS: 'http://127.0.0.1:1'})
    expect(named.get('engine http://127.0.0.1:1')).to.include({status: 'fail'})

    const free = createServer()
    const port = await listenLow(free)
    free.close()
    const engine = await startEngine('--port', `${port}`)
    try {
      const {checks} = await examine([], {KVCTL_SHM_DIR: '/dev/shm', KVCTL_ENGINE_URLS: ''})
      expect(checks.get(`engine http://127.0.0.1:${port}`)).to.include({status: 'ok'})
    } finally {
      await endEngine(engine.child, 'SIGTERM')
    }
  })

  describeWith(['gcc|cc'], 'with drivers', () => {
    const healthy = (index: number): Facts => ({
      ...fullGpu(index),
      ...ofGpu(index, {
        nvmlDeviceGetRemappedRows: '0 0 0 0',
        'nvmlDeviceGetTotalEccErrors.1.0': 0,
        nvmlDeviceGetCurrentClocksEventReasons: 1,
      }),
    })
    const nvmlFacts = {...bareDriver(2), ...healthy(0), ...healthy(1)}

    it('reads both libraries and makes no CUDA context', async () => {
      const cuda = cudaStandIn(folder(), {gpus: 2})
      const {checks} = await examine([], {...standInDriver(folder(), nvmlFacts).env, ...cuda.env})
      expect(checks.get('driver')).to.include({
        status: 'ok',
        detail: 'NVIDIA driver 550.163.01, CUDA up to 12.4, 2 GPUs',
      })
      expect(checks.get('gpu 1')!.detail).to.contain('H100')
      expect(checks.get('nvml-latency')!.detail).to.match(/nvml\w+ [\d.]+ ms/)
      expect(checks.get('cuda-library')).to.include({
        status: 'ok',
        detail: 'CUDA 12.4, 2 devices with virtual memory; no context was made',
      })
      expect(cuda.history()).to.deep.equal({contexts: 0, processes: 1})
    })

    it('is the only look at GPUs that loads CUDA at all', async () => {
      const cuda = cudaStandIn(folder(), {gpus: 1})
      const env = {...standInDriver(folder(), nvmlFacts).env, ...cuda.env}
      expect((await runCli(['gpus', '--json'], {env})).code).to.equal(0)
      expect(cuda.history()).to.deep.equal({contexts: 0, processes: 0})
    })

    it('names slow calls', async () => {
      const facts = {...bareDriver(1), ...healthy(0), 'delay.gpu.0.nvmlDeviceGetPowerUsage': 30}
      const {checks} = await examine([], standInDriver(folder(), facts).env)
      expect(checks.get('nvml-latency')).to.include({status: 'warn'})
      expect(checks.get('nvml-latency')!.detail).to.match(/nvmlDeviceGetPowerUsage ([3-9]\d|\d{3})/)
    })

    it('ends although drivers hang, and names the calls from which they do not come back', async () => {
      const cuda = cudaStandIn(folder(), {'delay.cuInit': 60_000})
      const facts = {...nvmlFacts, 'delay.gpu.1.nvmlDeviceGetName': 60_000}
      const env = {...standInDriver(folder(), facts).env, ...cuda.env}
      const {checks, code} = await examine(['--timeout', '6s'], env)
      expect(code).to.equal(4)
      expect(checks.get('gpu 0')).to.include({status: 'ok'})
      expect(checks.get('gpu 1')!.detail).to.equal('the driver does not come back from nvmlDeviceGetName')
      expect(checks.get('cuda-library')!.detail).to.equal('libcuda does not come back from cuInit')
    })

    it('says what a driver without GPUs, a lost GPU and a stub library need', async () => {
      const cuda = cudaStandIn(folder(), {cuInit: '!34'})
      const none = await examine([], {...standInDriver(folder(), bareDriver(0)).env, ...cuda.env})
      expect(none.checks.get('gpus')).to.include({status: 'fail'})
      expect(none.checks.get('cuda-library')!.fix).to.contain('stub')
      const lost = {...bareDriver(2), ...fullGpu(0), ...gpuIdentity(1), 'gpu.1': '!15'}
      const {checks} = await examine([], standInDriver(folder(), lost).env)
      expect(checks.get('gpu 1')).to.include({status: 'fail', detail: 'it fell off the bus'})
    })
  })
})
