import {once} from 'node:events'
import {readFileSync, readdirSync, readlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {systemClock} from '../../src/lib/foundation/index.js'
import {createGpuSampler, gpuProcessPath, type GpuOrder, type GpuReport} from '../../src/lib/gpu/index.js'
import {startWorker} from '../../src/lib/processes/index.js'
import {runCli, startCli, type CliResult} from '../support/cli.js'
import {bareDriver, fullGpu, gpuUuid, migGpu} from '../support/nvml/driver-facts.js'
import {standInDriver, type Facts} from '../support/nvml/stand-in.js'
import {describeWith} from '../support/requires.js'
import {GIB, recordBytes} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'

interface GpusDocument {
  readonly driver: {state: string; driver_version: string}
  readonly gpus: {
    index: number
    uuid: string
    state: string
    memory_used_bytes: number
    mig_devices: unknown[]
  }[]
}

const HANG_MS = 600_000
const LOOKED_FOR_MS = 10_000

/** Waits until what another process does shows, by asking again and again. */
async function until(isSo: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + LOOKED_FOR_MS
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${LOOKED_FOR_MS} ms`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** Pids of the processes below `parent` that run the sampler's file. */
function samplersOf(parent: number): number[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ')
  return children.filter(pid => pid !== '').map(Number)
}

const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('kvctl gpus without a usable driver', () => {
  const folder = temporaryFolder()

  it('says that there is no driver, what to do, and leaves with 4', async () => {
    const env = {KVCTL_NVML_PATH: join(folder(), 'libnvidia-ml.so.1')}
    const {code, stdout, stderr} = await runCli(['gpus'], {env})
    expect(code).to.equal(4)
    expect(stdout).to.equal('')
    expect(stderr).to.contain('there is no usable NVIDIA driver library here')
    expect(stderr).to.contain('Try: ')
  })

  it('says so too when the library is no library', async () => {
    const path = join(folder(), 'libnvidia-ml.so.1')
    writeFileSync(path, 'not an ELF file, but long enough to be looked at by the loader of this system\n')
    const {code, stdout} = await runCli(['gpus', '--json'], {env: {KVCTL_NVML_PATH: path}})
    expect(code).to.equal(4)
    const {error} = JSON.parse(stdout) as {error: {code: string; message: string}}
    expect(error.code).to.equal('NVML_UNAVAILABLE')
    expect(error.message).to.contain(path)
  })
})

describeWith(['gcc|cc'], 'kvctl gpus on a stand-in driver', () => {
  const folder = temporaryFolder()
  const gpus = async (facts: Facts, ...args: string[]): Promise<CliResult> =>
    runCli(['gpus', ...args], {env: standInDriver(folder(), facts).env})
  const document = async (facts: Facts): Promise<GpusDocument> => {
    const {code, stdout, stderr} = await gpus(facts, '--json')
    expect(code, stderr).to.equal(0)
    return JSON.parse(stdout) as GpusDocument
  }
  const full = (count: number): Facts =>
    Object.assign(
      {},
      bareDriver(count),
      ...Array.from({length: count}, (_, index) => fullGpu(index)),
    ) as Facts

  for (const [status, words] of [
    [9, 'kernel driver is not loaded'],
    [18, 'different versions'],
    [999, 'cannot be reached'],
  ] as const) {
    it(`explains a driver that starts with ${status}`, async () => {
      const {code, stderr} = await gpus({...bareDriver(0), nvmlInit_v2: `!${status}`})
      expect(code).to.equal(4)
      expect(stderr).to.contain(words)
    })
  }

  it('says that a driver has no GPU, which is no failure', async () => {
    const {code, stdout} = await gpus(bareDriver(0))
    expect(code).to.equal(0)
    expect(stdout).to.contain('has no GPU')
    expect((await document(bareDriver(0))).gpus).to.deep.equal([])
  })

  for (const count of [1, 3, 8]) {
    it(`shows ${count} of ${count} GPUs`, async () => {
      const {driver, gpus: found} = await document(full(count))
      expect(driver).to.include({state: 'ok', driver_version: '550.163.01'})
      expect(found.map(({uuid}) => uuid)).to.deep.equal(
        Array.from({length: count}, (_, index) => gpuUuid(index)),
      )
      expect(found.every(gpu => gpu.memory_used_bytes === 40 * 2 ** 30)).to.equal(true)
    })
  }

  it('draws a table of GPUs and one of processes', async () => {
    // No system gives a process this number.
    const nobody = (bytes: number): string => `99999999:${bytes}:-1:-1`
    const facts = {
      ...full(2),
      ...fullGpu(1, 8),
      'gpu.0.compute': nobody(40 * 2 ** 30),
      'gpu.0.samples': '99999999:1:83:0:0:0',
      'gpu.1.compute': nobody(8 * 2 ** 30),
      'gpu.1.samples': '!3',
      'gpu.1.nvmlDeviceGetPowerUsage': '!3',
      'gpu.1.nvmlDeviceGetMemoryInfo_v2': '!3',
    }
    const {stdout} = await gpus(facts)
    // Without the newer memory call, used is the older one's 8 GiB + 600 MiB.
    expect(stdout.trimEnd().split('\n')).to.deep.equal([
      'GPU  Name                       Used   Reserved     Total  Util   Temp  Power  State',
      '0    NVIDIA H100 80GB HBM3  40.00 GB  600.00 MB  80.00 GB  85 %  61 °C  413 W  ok',
      '1    NVIDIA H100 80GB HBM3   8.59 GB        N/A  80.00 GB  85 %  61 °C    N/A  ok',
      '',
      'GPU       PID  Kind         Used    SM  Segment  Name',
      '0    99999999  compute  40.00 GB  83 %  -        N/A',
      '1    99999999  compute   8.00 GB   N/A  -        N/A',
    ])
  })

  it('knows a process by its name where it sees the pids of the host', async function () {
    if (readlinkSync('/proc/self/ns/pid') !== 'pid:[4026531836]') this.skip()
    const {stdout} = await gpus({...full(1), 'gpu.0.compute': `${process.pid}:1024:-1:-1`}, '--json')
    const found = JSON.parse(stdout) as {gpus: {processes: Record<string, unknown>[]}[]}
    expect(found.gpus[0]!.processes[0]).to.include({
      pid: process.pid,
      name: readFileSync('/proc/self/comm', 'utf8').trim(),
      user_id: process.getuid!(),
      unidentified: null,
    })
  })

  it('goes on when one of three is lost and another is cut in parts', async () => {
    const {gpus: found} = await document({...full(3), ...migGpu(2), 'gpu.1': '!15'})
    expect(found.map(({state}) => state)).to.deep.equal(['ok', 'lost', 'ok'])
    expect(found[2]!.mig_devices).to.have.length(2)
  })

  it('shows a GPU whose calls block as hung and the others as they are, and leaves nothing behind', async () => {
    const driver = standInDriver(folder(), {...full(3), 'delay.gpu.1.nvmlDeviceGetPowerUsage': HANG_MS})
    const child = startCli(['gpus', '--json'], {env: driver.env})
    let stdout = ''
    child.stdout!.on('data', (text: Buffer) => (stdout += text.toString()))
    await until(() => samplersOf(child.pid!).length > 0, 'the sampler')
    const [sampler] = samplersOf(child.pid!)
    expect((await once(child, 'close'))[0]).to.equal(0)
    const {gpus: found} = JSON.parse(stdout) as GpusDocument
    expect(found.map(({state}) => state)).to.deep.equal(['ok', 'hung', 'ok'])
    await until(() => !isAlive(sampler!), 'the end of the process that hung')
  })

  it('shows which GPU began to block while it was watched, what it asks in its name, and goes on with the others', async () => {
    const driver = standInDriver(folder(), full(3))
    let pid = 0
    const sampler = createGpuSampler({
      startProcess() {
        const worker = startWorker<GpuOrder, readonly GpuReport[]>(gpuProcessPath)
        pid = worker.pid
        return worker
      },
      ...{clock: systemClock, libraryPath: driver.library, pciFolder: folder()},
      ...{patienceMs: 5000, healthMs: 0, retryMs: 600_000},
    })
    const nameOf = (process: number): string => readFileSync(`/proc/${process}/comm`, 'utf8').trim()
    process.env['KVCTL_TEST_NVML_FILE'] = driver.env['KVCTL_TEST_NVML_FILE']
    try {
      const states = async (): Promise<string[]> => (await sampler.look()).gpus.map(({state}) => state)
      expect(await states()).to.deep.equal(['ok', 'ok', 'ok'])
      const blocked = pid
      await until(() => nameOf(blocked) === 'kvctl gpus', 'the process at rest')
      driver.change({'delay.gpu.1.nvmlDeviceGetPowerUsage': HANG_MS})
      const look = states()
      await until(() => nameOf(blocked) === 'kvctl gpu 1', 'the GPU that blocks')
      expect(await look).to.deep.equal(['ok', 'hung', 'ok'])
      await until(() => !isAlive(blocked), 'the end of the process that hung')
      expect(pid).not.to.equal(blocked)
      expect(await states()).to.deep.equal(['ok', 'hung', 'ok'])
    } finally {
      delete process.env['KVCTL_TEST_NVML_FILE']
      sampler.close()
    }
  })

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`ends at ${signal} while the driver blocks, and takes the blocked process along`, async () => {
      const driver = standInDriver(folder(), {...bareDriver(1), 'delay.nvmlInit_v2': HANG_MS})
      const child = startCli(['gpus'], {env: driver.env})
      const closed = once(child, 'close')
      const blocked = (): number[] =>
        samplersOf(child.pid!).filter(pid =>
          readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libnvidia-ml.so.1'),
        )
      await until(() => blocked().length > 0, 'the driver’s start')
      const [sampler] = blocked()
      child.kill(signal)
      expect((await closed)[0]).to.equal(code)
      await until(() => !isAlive(sampler!), 'the end of the blocked process')
    })
  }

  it('leaves no process behind when it is killed while the driver blocks', async () => {
    const driver = standInDriver(folder(), {...bareDriver(1), 'delay.nvmlInit_v2': HANG_MS})
    const child = startCli(['gpus'], {env: driver.env})
    const closed = once(child, 'close')
    const blocked = (): number[] =>
      samplersOf(child.pid!).filter(pid =>
        readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libnvidia-ml.so.1'),
      )
    await until(() => blocked().length > 0, 'the driver’s start')
    const [sampler] = blocked()
    child.kill('SIGKILL')
    await closed
    await until(() => !isAlive(sampler!), 'the end of the blocked process')
  })
})

describeWith(['gcc|cc'], 'kvctl limit-percent by a GPU', () => {
  const folder = temporaryFolder()
  const limit = async (facts: Facts, ...args: string[]): Promise<CliResult> => {
    writeFileSync(join(folder(), 'vllm-0'), recordBytes(100n * GIB))
    const env = {
      ...standInDriver(folder(), facts).env,
      KVCTL_SHM_DIR: folder(),
      KVCTL_STATE_DIR: join(folder(), 'state'),
    }
    return runCli(['limit-percent', 'vllm-0', ...args, '--json'], {env})
  }
  const limitBytes = ({stdout}: CliResult): number =>
    (JSON.parse(stdout) as {limit_bytes: number}).limit_bytes
  const facts = {...bareDriver(2), ...fullGpu(0), ...migGpu(1)}

  it('takes the whole of GPU 0, of one named by index or UUID, or of a MIG device', async () => {
    expect(limitBytes(await limit(facts, '25'))).to.equal(20 * 2 ** 30)
    expect(limitBytes(await limit(facts, '10', '--gpu', '1'))).to.equal(8 * 2 ** 30)
    expect(limitBytes(await limit(facts, '50', '--gpu', gpuUuid(0)))).to.equal(40 * 2 ** 30)
    const mig = facts['gpu.1.mig.2.nvmlDeviceGetUUID']!
    expect(limitBytes(await limit(facts, '50', '--gpu', String(mig)))).to.equal(10 * 2 ** 30)
  })

  it('names the GPUs there are when the wanted one is not among them, and leaves the segment alone', async () => {
    const {code, stdout} = await limit(facts, '50', '--gpu', '7')
    expect(code).to.equal(4)
    expect(stdout).to.contain('GPU_NOT_FOUND').and.contain(gpuUuid(1))
    expect(readdirSync(folder())).to.contain('vllm-0')
    expect(readFileSync(join(folder(), 'vllm-0'))).to.deep.equal(recordBytes(100n * GIB))
  })

  it('says which GPU does not tell its memory', async () => {
    const {code, stdout} = await limit({...bareDriver(1)}, '50')
    expect(code).to.equal(4)
    expect(stdout).to.contain('GPU_MEMORY_UNKNOWN').and.contain('not_supported')
  })

  it('takes --of or --gpu, not both', async () => {
    expect((await limit(facts, '50', '--gpu', '0', '--of', '80G')).code).to.equal(2)
  })
})
