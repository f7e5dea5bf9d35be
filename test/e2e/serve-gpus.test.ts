import {spawn, spawnSync, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, readlinkSync} from 'node:fs'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {CHROMIUM, launchChromium} from '../support/chromium.js'
import {startCli} from '../support/cli.js'
import {engineServer, type EnginePage} from '../support/engine-page.js'
import {listenLow} from '../support/listen-low.js'
import {bareDriver, fullGpu, gpuUuid, migGpu} from '../support/nvml/driver-facts.js'
import {standInDriver, type Facts, type StandInDriver} from '../support/nvml/stand-in.js'
import {startPrometheus} from '../support/prometheus.js'
import {checkMetrics} from '../support/promtool.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'

interface Document {
  readonly total_bytes: number
  readonly used_percent: number
  readonly allocated_blocks: number
  readonly utilized_blocks: number
  readonly devices: {state: string; mig_devices: unknown[]}[]
  readonly engines: {url: string; source: string; pids: number[]; gpus: number[]}[]
  readonly unavailable: Record<string, string>
  readonly warnings: {code: string}[]
}

interface Stats {
  readonly gpus?: {index: number}[]
  readonly error?: string
}

const STATS_OF_FULL = {
  ...{index: 0, name: 'NVIDIA H100 80GB HBM3', uuid: gpuUuid(0), utilization_percent: 85},
  // 40 GiB used and 600 MiB reserved, of 80 GiB
  ...{memory_used_mb: 41_560, memory_total_mb: 81_920, memory_util_percent: (41_560 / 81_920) * 100},
  ...{temperature_c: 61, power_draw_w: 412.5, power_limit_w: 700, fan_speed_percent: 45},
  ...{encoder_util_percent: 5, decoder_util_percent: 6},
}

const NOWHERE = 'http://127.0.0.1:1'
const LOOKED_FOR_MS = 20_000

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + LOOKED_FOR_MS
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${LOOKED_FOR_MS} ms`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

const full = (count: number): Facts =>
  Object.assign({}, bareDriver(count), ...Array.from({length: count}, (_, index) => fullGpu(index))) as Facts

describeWith(['gcc|cc'], 'kvctl serve on GPUs', () => {
  const folder = temporaryFolder()
  const children: ChildProcess[] = []
  const engines: EnginePage[] = []
  let driver: StandInDriver
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    for (const engine of engines.splice(0)) engine.close()
  })

  const serve = async (
    env: NodeJS.ProcessEnv,
    ...args: string[]
  ): Promise<{url: string; child: ChildProcess}> => {
    mkdirSync(join(folder(), 'shm'), {recursive: true})
    const child = startCli(['serve', '--port', '0', '--json', ...args], {
      env: {
        KVCTL_SHM_DIR: join(folder(), 'shm'),
        KVCTL_STATE_DIR: join(folder(), 'state'),
        KVCTL_ENGINE_URLS: NOWHERE,
        ...env,
      },
    })
    children.push(child)
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    return {url: (JSON.parse(line) as {url: string}).url, child}
  }
  const onDriver = async (
    facts: Facts,
    env: NodeJS.ProcessEnv = {},
    ...args: string[]
  ): ReturnType<typeof serve> => {
    driver = standInDriver(folder(), facts)
    return serve({...driver.env, ...env}, ...args)
  }
  const vram = async (url: string, query = '?blocks=none'): Promise<Document> => {
    const response = await fetch(`${url}/vram${query}`)
    expect(response.status).to.equal(200)
    return (await response.json()) as Document
  }
  /** Waits until a busy machine shows what is to be seen. */
  const seen = async (url: string, isSo: (document: Document) => boolean): Promise<Document> => {
    let document = await vram(url)
    await until(async () => isSo((document = await vram(url))), 'the document')
    return document
  }
  const stats = async (url: string): Promise<Stats> =>
    (await (await fetch(`${url}/proxy/stats`)).json()) as Stats
  const engineOf = async (facts: Parameters<typeof engineServer>[0]): Promise<EnginePage> => {
    const engine = await engineServer(facts)
    engines.push(engine)
    return engine
  }

  for (const [what, env, stats] of [
    ['no driver', {KVCTL_NVML_PATH: '/nowhere/libnvidia-ml.so.1'}, 'NVML not initialized'],
    ['a driver that is not loaded', {nvmlInit_v2: '!9'}, 'NVML not initialized'],
    ['a driver without GPUs', {}, 'no GPUs found'],
  ] as const) {
    it(`answers with ${what}: zeros and a warning at /vram, 500 and why at /proxy/stats`, async () => {
      const {url} = 'KVCTL_NVML_PATH' in env ? await serve(env) : await onDriver({...bareDriver(0), ...env})
      const document = await seen(url, ({warnings}) => warnings.every(({code}) => code !== 'LOOK_LATE'))
      expect(document).to.include({total_bytes: 0, allocated_blocks: 0})
      expect(document.unavailable).to.have.property('total_bytes')
      expect(document.warnings.map(({code}) => code)).to.include.oneOf(['NVML_UNAVAILABLE', 'GPU_NOT_FOUND'])
      const response = await fetch(`${url}/proxy/stats`)
      expect([response.status, await response.text()]).to.deep.equal([
        500,
        `{"error":"Failed to query GPU: ${stats}"}`,
      ])
      expect(await (await fetch(`${url}/metrics`)).text()).to.contain('kvctl_gpu_driver_up')
    })
  }

  for (const count of [1, 3, 8]) {
    it(`shows ${count} of ${count} GPUs, one lost midway, one in MIG mode`, async () => {
      const {url} = await onDriver({...full(count), ...(count > 1 && migGpu(count - 1))})
      const all = await seen(url, document => document.devices.length > 0)
      expect(all.total_bytes).to.equal(count * 80 * 2 ** 30)
      const rows = await stats(url)
      expect(rows.gpus?.map(({index}) => index)).to.deep.equal(Array.from({length: count}, (_, at) => at))
      expect(rows.gpus![0]).to.deep.equal(STATS_OF_FULL)
      driver.change({'gpu.0': '!15'})
      await until(async () => (await vram(url)).devices[0]!.state === 'lost', 'the loss')
      await until(async () => (await stats(url)).gpus?.length !== count, 'an answer without the lost GPU')
      const after = await stats(url)
      if (count === 1) expect(after).to.deep.equal({error: 'Failed to query GPU: failed to query any GPUs'})
      else
        expect(after.gpus!.map(({index}) => index)).to.deep.equal(rows.gpus!.map(({index}) => index).slice(1))
      const {devices, total_bytes: total} = await vram(url)
      expect(devices.map(({state}) => state)).to.deep.equal([
        'lost',
        ...new Array<string>(count - 1).fill('ok'),
      ])
      expect(total).to.equal((count - 1) * 80 * 2 ** 30)
      if (count > 1) expect(devices.at(-1)!.mig_devices).to.have.length(2)
      driver.change({'gpu.0': null})
    })
  }

  it('KVCTL_ENGINE_URLS: the engines that are shown', async () => {
    const [one, two] = [
      await engineOf({blocks: '1000', usage: 0.5}),
      await engineOf({blocks: '500', usage: 0.1}),
    ]
    const both = await onDriver(full(1), {KVCTL_ENGINE_URLS: `${one.url},${two.url}`})
    const sums = await seen(both.url, document => document.allocated_blocks > 1000)
    expect(sums).to.include({allocated_blocks: 1500, utilized_blocks: 550})
    const flag = await onDriver(full(1), {KVCTL_ENGINE_URLS: one.url}, '--engine-url', two.url)
    const own = await seen(flag.url, document => document.allocated_blocks > 0)
    expect(own).to.include({allocated_blocks: 500, utilized_blocks: 50})
  })

  it('finds an engine by the port on which the process with GPU memory listens', async function () {
    if (readlinkSync('/proc/self/ns/pid') !== 'pid:[4026531836]') this.skip()
    const engine = await engineServer({blocks: '1000', usage: 0.5})
    engine.server.close()
    const port = await listenLow(engine.server)
    engines.push(engine)
    const facts = {...full(1), 'gpu.0.compute': `${process.pid}:${4 * 2 ** 30}:-1:-1`}
    const {url} = await onDriver(facts, {KVCTL_ENGINE_URLS: ''})
    const isFound = ({engines: all}: Document): boolean => all.some(one => one.url.endsWith(`:${port}`))
    const found = (await seen(url, isFound)).engines.find(one => one.url === `http://127.0.0.1:${port}`)
    expect(found).to.deep.include({source: 'listening', pids: [process.pid], gpus: [0]})
  })

  it('answers everything else, and ends when it is told to, while a call into the driver blocks', async () => {
    const {url, child} = await onDriver({...full(2), 'delay.gpu.1.nvmlDeviceGetPowerUsage': 600_000})
    const first = await vram(url)
    expect(first.warnings.map(({code}) => code))
      .to.include('NVML_UNAVAILABLE')
      .and.include('LOOK_LATE')
    for (const path of ['/health', '/segments', '/metrics', '/openapi.json'])
      expect((await fetch(url + path)).status, path).to.equal(200)
    expect((await fetch(`${url}/proxy/stats`)).status).to.be.oneOf([200, 500])
    await until(async () => (await vram(url)).devices[1]?.state === 'hung', 'the GPU that hangs')
    expect((await vram(url)).devices[0]!.state).to.equal('ok')
    const again = fetch(`${url}/vram/stream`).then(response => response.body!.getReader().read())
    expect(Buffer.from((await again).value).toString()).to.match(/^data: \{/)
    child.kill('SIGTERM')
    expect((await once(child, 'close'))[0]).to.equal(0)
  })

  describeWith(['promtool'], 'for promtool', () => {
    it('shows GPUs and engines without a complaint', async () => {
      const engine = await engineOf({blocks: '1000', usage: 0.5})
      const facts = {...full(2), ...migGpu(1), events: '0:8:31'}
      // Without the cache, whose series have LMCache's names.
      const {url} = await onDriver(
        facts,
        {KVCTL_ENGINE_URLS: engine.url},
        '--api',
        'segments,vram,stats,system',
      )
      await seen(url, document => document.allocated_blocks > 0)
      // The driver tells an event at a look of its own, after the first figures.
      let page = ''
      const hasXid = async (): Promise<boolean> => {
        page = await (await fetch(`${url}/metrics`)).text()
        return /^kvctl_gpu_xid_last\{gpu="0",uuid="GPU-.*"\} 31$/m.test(page)
      }
      await until(hasXid, 'Xid 31 of GPU 0')
      expect(await checkMetrics(page)).to.deep.equal({status: 0, complaints: []})
    })
  })

  describeWith(['prometheus'], 'for Prometheus', () => {
    it('is scraped: figures of each GPU', async () => {
      const {url} = await onDriver(full(2), {KVCTL_TOKEN: 'secret'})
      const prometheus = await startPrometheus(folder(), url, 'secret')
      children.push(prometheus.child)
      for (const [query, value] of [
        [`kvctl_gpu_power_watts{gpu="1",uuid="${gpuUuid(1)}"}`, '412.5'],
        ['sum(kvctl_gpu_memory_total_bytes)', String(160 * 2 ** 30)],
        ['kvctl_gpu_driver_up', '1'],
      ] as const)
        expect(await prometheus.valueOf(query), query).to.equal(value)
    })
  })

  describeWith([CHROMIUM], 'for a page', () => {
    it('is read by an EventSource', async () => {
      const {url} = await onDriver(full(1))
      const browser = await launchChromium()
      try {
        const page = await browser.newPage()
        await page.goto(`${url}/docs`)
        const seenByPage = await page.evaluate(
          async () =>
            new Promise(resolve => {
              const percents: number[] = []
              const source = new EventSource('/vram/stream')
              source.onmessage = ({data}) => {
                percents.push((JSON.parse(String(data)) as {used_percent: number}).used_percent)
                if (percents.length < 3) return
                source.close()
                resolve(percents)
              }
            }),
        )
        expect(seenByPage).to.deep.equal([50.73, 50.73, 50.73])
      } finally {
        await browser.close()
      }
    })
  })

  describeWith(['python3'], 'for Python', () => {
    it("is read by the loop of Blackbox's documentation", async function () {
      const hasRequests = spawnSync('python3', ['-c', 'import requests']).status === 0
      if (!hasRequests && process.env['KVCTL_TEST_REQUIRE'] !== 'all') this.skip()
      const {url} = await onDriver(full(1))
      const program = `
import requests
import json

response = requests.get('${url}/vram/stream', stream=True)
count = 0
for line in response.iter_lines():
    if line and line.startswith(b'data: '):
        data = json.loads(line[6:])
        print(f"Memory: {data['used_percent']:.2f}%", flush=True)
        count += 1
        if count == 3:
            break
`
      const python = spawn('python3', ['-c', program], {stdio: ['ignore', 'pipe', 'pipe']})
      children.push(python)
      let [said, complained] = ['', '']
      python.stdout.on('data', text => (said += String(text)))
      python.stderr.on('data', text => (complained += String(text)))
      expect((await once(python, 'close'))[0], complained).to.equal(0)
      // (40 GiB + 600 MiB) / 80 GiB
      expect(said).to.equal('Memory: 50.73%\n'.repeat(3))
    })
  })
})
