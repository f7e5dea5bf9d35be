import {once} from 'node:events'
import {connect, type Socket} from 'node:net'
import {expect} from 'chai'
import type {GpusLook} from '../../../src/lib/gpu/index.js'
import {samplerOf, serveStore, type ApiServer} from '../../support/api-server.js'
import {engineServer, type EnginePage} from '../../support/engine-page.js'
import {bareDriver, fullGpu} from '../../support/nvml/driver-facts.js'
import {sessionLook} from '../../support/nvml/session-look.js'
import {standInDriver, type StandInDriver} from '../../support/nvml/stand-in.js'
import {describeWith} from '../../support/requires.js'
import {segmentFolder, type SegmentFolder} from '../../support/segments.js'
import {temporaryFolder} from '../../support/temporary.js'

interface Document {
  readonly total_bytes: number
  readonly allocated_blocks: number
  readonly utilized_blocks: number
  readonly blocks: {utilized: boolean}[]
  readonly devices: {index: number; state: string}[]
  readonly warnings: {code: string}[]
}

/** Text of a stream until a test has seen enough. */
function read(url: string, path: string): {socket: Socket; text: () => string} {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let text = ''
  socket.on('data', chunk => (text += String(chunk)))
  socket.on('error', () => undefined)
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
  return {socket, text: () => text}
}
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 5))
}

describeWith(['gcc|cc'], 'GPUs over HTTP', () => {
  const temporary = temporaryFolder()
  let folder: SegmentFolder
  let server: ApiServer
  let engine: EnginePage
  let driver: StandInDriver
  let looks = 0
  let hold: Promise<void> | null = null

  beforeEach(async () => {
    looks = 0
    hold = null
    folder = segmentFolder()
    engine = await engineServer({blocks: '100', usage: 0.25})
    driver = standInDriver(temporary(), {...bareDriver(2), ...fullGpu(0), ...fullGpu(1, 8)})
    process.env['KVCTL_TEST_NVML_FILE'] = driver.env['KVCTL_TEST_NVML_FILE']
    const lookNow = sessionLook(driver.library, temporary())
    const look = async (): Promise<GpusLook> => {
      looks++
      if (hold) await hold
      return lookNow()
    }
    server = await serveStore(folder.store, {sampler: samplerOf(look), engineUrls: [engine.url]})
  })
  afterEach(async () => {
    delete process.env['KVCTL_TEST_NVML_FILE']
    await server.close()
    engine.close()
    folder.remove()
  })
  const vram = async (query = ''): Promise<Document> =>
    (await (await server.get(`/vram${query}`)).json()) as Document

  describe('GET /vram', () => {
    it('answers one line of application/json with the sum of all GPUs and the blocks of the engine', async () => {
      const response = await server.get('/vram')
      expect([response.status, response.headers.get('content-type')]).to.deep.equal([200, 'application/json'])
      const text = await response.text()
      expect(text).to.not.match(/\n|": /)
      const document = JSON.parse(text) as Document
      expect(document).to.include({
        total_bytes: 160 * 2 ** 30,
        allocated_blocks: 100,
        utilized_blocks: 25,
      })
      expect(document.blocks.filter(({utilized}) => utilized)).to.have.length(25)
    })

    it('chooses GPUs, blocks and schema, and ignores what it does not know', async () => {
      expect((await vram('?gpu=1')).devices.map(({index}) => index)).to.deep.equal([1])
      expect((await vram('?blocks=none')).blocks).to.deep.equal([])
      expect((await vram('?blocks=20-29')).blocks.map(({utilized}) => utilized)).to.deep.equal(
        Array.from({length: 10}, (_, index) => index < 5),
      )
      expect(await vram('?blocks=summary'))
        .to.have.property('block_runs')
        .with.length(2)
      expect(await vram('?schema=2')).to.include({prefix_cache_hit_rate: 25})
      expect((await vram('?x=1')).total_bytes).to.equal(160 * 2 ** 30)
    })

    for (const [query, status, code] of [
      ['?gpu=7', 404, 'GPU_NOT_FOUND'],
      ['?blocks=some', 400, 'BLOCKS_INVALID'],
      ['?blocks=9-3', 400, 'BLOCKS_INVALID'],
      ['?schema=3', 400, 'REQUEST_INVALID'],
    ] as const) {
      it(`refuses ${query} with a problem document: ${status} ${code}`, async () => {
        const response = await server.get(`/vram${query}`)
        expect(response.status).to.equal(status)
        expect(await response.json()).to.include({code})
      })
    }

    it('answers HEAD', async () => {
      const response = await fetch(`${server.url}/vram`, {method: 'HEAD'})
      expect([response.status, response.headers.get('content-type')]).to.deep.equal([200, 'application/json'])
    })

    it('shares one round of questions among all who ask at once', async () => {
      await Promise.all(Array.from({length: 50}, () => vram('?blocks=none')))
      expect(looks).to.be.lessThan(10)
    })

    it('goes on without a GPU that is lost, and says so', async () => {
      driver.change({'gpu.1': '!15'})
      const {devices, warnings} = await vram()
      expect(devices.map(({state}) => state)).to.deep.equal(['ok', 'lost'])
      expect(warnings.map(({code}) => code)).to.deep.equal(['GPU_UNREADABLE'])
    })

    it('gives the look before, with a warning, while the driver does not answer', async () => {
      const before = await vram('?blocks=none')
      let release = (): void => undefined
      hold = new Promise(resolve => (release = resolve))
      await new Promise(resolve => setTimeout(resolve, 120))
      const late = await vram('?blocks=none')
      expect(late.total_bytes).to.equal(before.total_bytes)
      expect(late.warnings.map(({code}) => code)).to.deep.equal(['LOOK_LATE'])
      // Other routes do not wait for it.
      expect((await server.get('/health')).status).to.equal(200)
      release()
    })
  })

  describe('refuses in plain text, as Blackbox does,', () => {
    for (const [method, path, status, text] of [
      ['GET', '/vram/none', 404, 'Not Found'],
      ['GET', '/vram/', 404, 'Not Found'],
      ['POST', '/vram', 405, 'Method Not Allowed'],
      ['DELETE', '/vram/stream', 405, 'Method Not Allowed'],
    ] as const) {
      it(`${method} ${path}: ${status} ${text}`, async () => {
        const response = await fetch(server.url + path, {method})
        expect([
          response.status,
          response.headers.get('content-type'),
          await response.text(),
          response.headers.get('allow'),
        ]).to.deep.equal([status, 'text/plain', text, status === 405 ? 'GET, HEAD' : null])
      })
    }

    it('what it does not have, where it serves vram alone', async () => {
      const alone = await serveStore(folder.store, {families: ['vram']})
      const response = await alone.get('/none')
      expect([response.status, response.headers.get('content-type'), await response.text()]).to.deep.equal([
        404,
        'text/plain',
        'Not Found',
      ])
      await alone.close()
    })

    it('a fault of its own: 500 Internal Server Error', async () => {
      const broken = await serveStore(folder.store, {
        sampler: samplerOf(() => Promise.reject(new Error('secret'))),
      })
      const response = await broken.get('/vram')
      expect([response.status, response.headers.get('content-type'), await response.text()]).to.deep.equal([
        500,
        'text/plain',
        'Internal Server Error',
      ])
      await broken.close()
    })
  })

  describe('GET /vram/stream', () => {
    const dataOf = (text: string): string[] => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data!)

    it('begins at once and sends data: blocks and nothing else', async () => {
      const {socket, text} = read(server.url, '/vram/stream?interval_ms=100&blocks=none')
      await until(() => dataOf(text()).length >= 3)
      socket.destroy()
      const [head = '', ...rest] = text().split('\r\n\r\n')
      expect(head.split('\r\n').map(line => line.toLowerCase())).to.include.members([
        'http/1.1 200 ok',
        'content-type: text/event-stream',
        'cache-control: no-cache',
        'connection: keep-alive',
      ])
      const events = rest.join('\r\n\r\n').replaceAll(/(^|\r\n)[0-9a-f]+\r\n/g, '')
      expect(events).to.match(/^(data: \{.*\}\n\n)+/)
      expect(events).to.not.match(/^(event|id|retry|:)/m)
      expect(JSON.parse(dataOf(text())[0]!)).to.include({total_bytes: 160 * 2 ** 30, allocated_blocks: 100})
    })

    it('numbers events and says when to come back with ?sse=full', async () => {
      const {socket, text} = read(server.url, '/vram/stream?interval_ms=100&blocks=none&sse=full')
      await until(() => dataOf(text()).length >= 3)
      socket.destroy()
      expect(text()).to.contain('retry: 2000\n\n')
      const ids = [...text().matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
      expect(ids.slice(0, 3)).to.deep.equal([1, 2, 3])
    })

    it('shows what changes, whatever each client chose, from one round of questions a tick', async () => {
      const streams = ['', '&gpu=0', '&schema=2', '', ''].map(query =>
        read(server.url, `/vram/stream?interval_ms=200&blocks=none${query}`),
      )
      await until(() => streams.every(({text}) => dataOf(text()).length >= 2))
      engine.show({blocks: '100', usage: 0.9})
      await until(() => dataOf(streams[0]!.text()).some(data => data.includes('"utilized_blocks":90')))
      const events = dataOf(streams[0]!.text()).length
      for (const {socket} of streams) socket.destroy()
      // Each stream is answered once before it begins.
      expect(looks).to.be.at.most(events + 1 + streams.length)
      await until(() => server.context.traffic.streams === 0)
      const after = looks
      await new Promise(resolve => setTimeout(resolve, 450))
      expect(looks, 'nobody listens').to.be.at.most(after + 1)
    })

    for (const query of ['interval_ms=99', 'interval_ms=60001', 'interval_ms=soon', 'sse=half', 'gpu=9']) {
      it(`refuses ?${query} before it begins`, async () => {
        const response = await server.get(`/vram/stream?${query}`)
        expect([response.status, (await response.text()).includes('"code"')]).to.deep.equal([
          query === 'gpu=9' ? 404 : 400,
          true,
        ])
      })
    }

    it('answers HEAD with its headers and no stream', async () => {
      const response = await fetch(`${server.url}/vram/stream`, {method: 'HEAD'})
      expect([response.status, response.headers.get('content-type')]).to.deep.equal([
        200,
        'text/event-stream',
      ])
      expect(server.context.traffic.streams).to.equal(0)
    })
  })

  describe('GET /proxy/stats', () => {
    it('is read once a second: MISS, then HIT with the same bytes, then MISS again', async () => {
      const [first, second] = [await server.get('/proxy/stats'), await server.get('/proxy/stats')]
      expect(first.headers.get('content-type')).to.equal('application/json; charset=utf-8')
      const texts = [await first.text(), await second.text()]
      expect(texts[1]).to.equal(texts[0])
      expect([first, second].map(({headers}) => headers.get('x-cache'))).to.deep.equal(['MISS', 'HIT'])
      await new Promise(resolve => setTimeout(resolve, 1050))
      const third = await server.get('/proxy/stats')
      expect(third.headers.get('x-cache')).to.equal('MISS')
      expect(await third.text()).to.not.equal(texts[0])
      expect(looks).to.equal(2)
    })

    it('asks the driver once however many ask at the same time', async () => {
      const answers = await Promise.all(Array.from({length: 100}, () => server.get('/proxy/stats')))
      expect(answers.map(({status}) => status)).to.deep.equal(new Array(100).fill(200))
      expect(looks).to.equal(1)
    }).timeout(20_000)

    it('answers failures with 500, their text and no X-Cache, and does not keep them', async () => {
      driver.change({gpus: 0})
      const failed = await server.get('/proxy/stats')
      expect([failed.status, failed.headers.get('x-cache'), await failed.text()]).to.deep.equal([
        500,
        null,
        '{"error":"Failed to query GPU: no GPUs found"}',
      ])
      driver.change({gpus: 2})
      expect((await server.get('/proxy/stats')).status).to.equal(200)
    })
  })

  it('shows GPUs, processes and engines to Prometheus, and what is unknown not at all', async () => {
    driver.change({'gpu.1.nvmlDeviceGetFanSpeed': '!3', 'gpu.1.nvmlDeviceGetTotalEnergyConsumption': '!3'})
    const page = await (await server.get('/metrics')).text()
    expect(page).to.contain('kvctl_gpu_looks_total 1\n')
    const uuid = 'uuid="GPU-00000000-0000-0000-0000-000000000000"'
    for (const line of [
      'kvctl_gpu_driver_up 1',
      `kvctl_gpu_memory_used_bytes{gpu="0",${uuid}} ${40 * 2 ** 30}`,
      `kvctl_gpu_utilization_ratio{gpu="0",${uuid}} 0.85`,
      `kvctl_gpu_fan_speed_ratio{gpu="0",${uuid}} 0.45`,
      `kvctl_gpu_energy_joules_total{gpu="0",${uuid},source="counter"} 123456.789`,
      `kvctl_gpu_throttled{gpu="0",${uuid},reason="hardware_thermal"} 1`,
      `kvctl_engine_kv_blocks_used{url="${engine.url}",model="meta-llama/Llama-3.1-8B-Instruct"} 25`,
    ])
      expect(page.split('\n')).to.include(line)
    expect(page).to.match(/^kvctl_gpu_process_memory_bytes\{gpu="0",.*pid="4242".*\} 42949672960$/m)
    expect(page).to.not.match(/^kvctl_gpu_(fan_speed_ratio|energy_joules_total)\{gpu="1"/m)
    expect(page).to.not.contain('DCGM')
  })

  it('shows them under the names of dcgm-exporter where that was asked for', async () => {
    const named = await serveStore(folder.store, {
      sampler: server.context.sampler,
      engineUrls: [engine.url],
      hasDcgmNames: true,
    })
    const page = await (await named.get('/metrics')).text()
    expect(page).to.match(
      /^DCGM_FI_DEV_FB_USED\{gpu="0",UUID="GPU-0.*",pci_bus_id="00000000:3B:00\.0",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname=".+"\} 40960$/m,
    )
    expect(page).to.match(/^DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION\{gpu="0".*\} 123456789$/m)
    await named.close()
  })

  it('costs nothing by a client that stops reading', async () => {
    engine.show({blocks: '20000', usage: 0.5})
    const slow = read(server.url, '/vram/stream?interval_ms=100')
    await once(slow.socket, 'data')
    slow.socket.pause()
    const quick = read(server.url, '/vram/stream?interval_ms=100')
    await until(() => (quick.text().match(/^data: /gm) ?? []).length >= 12)
    slow.socket.resume()
    await new Promise(resolve => setTimeout(resolve, 50))
    expect((slow.text().match(/^data: /gm) ?? []).length).to.be.lessThan(
      (quick.text().match(/^data: /gm) ?? []).length,
    )
    slow.socket.destroy()
    quick.socket.destroy()
  })
})
