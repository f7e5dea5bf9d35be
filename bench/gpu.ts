/**
 * What looking at GPUs and serving them costs, on a stand-in driver with 8 GPUs: without the driver's own time.
 *
 *     npm run build && npm run build:test && node build/bench/gpu.js
 *
 * Prints a fresh look and a cached `/proxy/stats` (p50, p99), requests a second beside a bare `node:http` server that answers
 * the same bytes (medians of five rounds, side by side), the share of a core that the sampler's process takes at 1 Hz, and
 * what 200 readers of `/vram/stream` cost.
 */
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync} from 'node:fs'
import {Agent, get} from 'node:http'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {createGpuSampler, gpuProcessPath, type GpuOrder, type GpuReport} from '../src/lib/gpu/index.js'
import {systemClock} from '../src/lib/foundation/index.js'
import {startWorker} from '../src/lib/processes/index.js'
import {repositoryRoot} from '../test/support/cli.js'
import {bareDriver, fullGpu} from '../test/support/nvml/driver-facts.js'
import {standInDriver, type Facts} from '../test/support/nvml/stand-in.js'
import {median} from './support/median.js'
import {readStream, type StreamReader} from './support/read-stream.js'
import {useOf} from './support/process-figures.js'

const GPUS = 8
const ROUNDS = 5
const ROUND_MS = 1000
const CONNECTIONS = 16
const STREAMS = 200
const STREAM_MS = 8000

const folder = mkdtempSync(join(tmpdir(), 'kvctl-bench-gpu-'))
process.on('exit', () => rmSync(folder, {recursive: true, force: true}))
const facts = Object.assign({}, bareDriver(GPUS), ...Array.from({length: GPUS}, (_, index) => fullGpu(index)))
const driver = standInDriver(folder, facts as Facts)
Object.assign(process.env, driver.env)

const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const rank = (times: readonly number[], share: number): number =>
  [...times].sort((one, two) => one - two)[Math.floor(times.length * share)] ?? NaN
const show = (what: string, times: readonly number[]): void =>
  console.log(`${what.padEnd(30)} p50 ${rank(times, 0.5).toFixed(2)}  p99 ${rank(times, 0.99).toFixed(2)} ms`)

const cpuSeconds = async (pid: number): Promise<number> => (await useOf(pid)).cpuSeconds

async function benchSampler(): Promise<void> {
  let pid = 0
  const sampler = createGpuSampler({
    startProcess() {
      const worker = startWorker<GpuOrder, readonly GpuReport[]>(gpuProcessPath)
      pid = worker.pid
      return worker
    },
    ...{clock: systemClock, libraryPath: driver.library, pciFolder: '/sys/bus/pci/devices'},
    ...{patienceMs: 5000, healthMs: 5000, retryMs: 30_000},
  })
  await sampler.look()
  const times: number[] = []
  for (let count = 0; count < 200; count++) {
    const startMs = performance.now()
    await sampler.look()
    times.push(performance.now() - startMs)
  }
  show(`fresh look, ${GPUS} GPUs`, times)
  const [startMs, startCpu] = [performance.now(), await cpuSeconds(pid)]
  for (let second = 0; second < 10; second++) {
    await sampler.look()
    await sleep(1000)
  }
  const share = ((await cpuSeconds(pid)) - startCpu) / ((performance.now() - startMs) / 1000)
  console.log(`sampler's process at 1 Hz      ${(100 * share).toFixed(2)} % of a core (aim below 1 %)`)
  sampler.close()
}

/** One request after another on each of some connections. @returns how long each took */
async function load(url: string, durationMs: number, connections: number): Promise<number[]> {
  const agent = new Agent({keepAlive: true, maxSockets: connections})
  const times: number[] = []
  const endMs = performance.now() + durationMs
  const ask = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const startMs = performance.now()
      await new Promise<void>((resolve, reject) => {
        get(url, {agent}, response => {
          response.resume()
          response.on('end', resolve)
        }).on('error', reject)
      })
      times.push(performance.now() - startMs)
    }
  }
  await Promise.all(Array.from({length: connections}, ask))
  agent.destroy()
  return times
}

async function benchStats(url: string): Promise<void> {
  const body = Buffer.from(await (await fetch(`${url}/proxy/stats`)).arrayBuffer())
  const program = `require('node:http').createServer((_, response) => {
    response.setHeader('content-type', 'application/json; charset=utf-8')
    response.end(Buffer.from(${JSON.stringify(body.toString('base64'))}, 'base64'))
  }).listen(0, '127.0.0.1', function () { console.log(this.address().port) })`
  const bare = spawn(process.execPath, ['-e', program], {stdio: ['ignore', 'pipe', 'inherit']})
  const [port] = (await once(createInterface(bare.stdout), 'line')) as [string]
  show('cached /proxy/stats', await load(`${url}/proxy/stats`, 2000, 1))
  const rates: Record<'kvctl' | 'bare', number[]> = {kvctl: [], bare: []}
  for (let round = 0; round < ROUNDS; round++) {
    rates.kvctl.push((await load(`${url}/proxy/stats`, ROUND_MS, CONNECTIONS)).length)
    rates.bare.push((await load(`http://127.0.0.1:${port}/`, ROUND_MS, CONNECTIONS)).length)
  }
  bare.kill()
  const [ours, theirs] = [median(rates.kvctl), median(rates.bare)]
  console.log(
    `requests a second              ${ours} beside ${theirs} of node:http: ${(ours / theirs).toFixed(2)} × (goal ≥ 0.85), ${body.length} bytes`,
  )
  show('fresh /vram?blocks=none', await load(`${url}/vram?blocks=none&gpu=all`, 2000, 1))
}

async function benchStream(url: string, pid: number): Promise<void> {
  const readers = Array.from({length: STREAMS}, () => readStream(url))
  const sum = (read: (reader: StreamReader) => number): number =>
    readers.reduce((total, reader) => total + read(reader), 0)
  await sleep(1500)
  const [startMs, startCpu] = [performance.now(), await cpuSeconds(pid)]
  const before = {bytes: sum(({bytes}) => bytes()), events: sum(({arrivedMs}) => arrivedMs.length)}
  await sleep(STREAM_MS)
  const seconds = (performance.now() - startMs) / 1000
  const bytes = sum(reader => reader.bytes()) - before.bytes
  const events = sum(({arrivedMs}) => arrivedMs.length) - before.events
  const share = ((await cpuSeconds(pid)) - startCpu) / seconds
  for (const {socket} of readers) socket.destroy()
  console.log(
    `/vram/stream, ${STREAMS} readers      ${(events / seconds).toFixed(0)} events/s of ${Math.round(bytes / events)} bytes, ${(100 * share).toFixed(1)} % of a core`,
  )
}

const child = spawn(
  process.execPath,
  [join(repositoryRoot, 'bin/run.js'), 'serve', '--port', '0', '--json'],
  {
    env: {
      ...process.env,
      KVCTL_ENGINE_URLS: 'http://127.0.0.1:1',
      KVCTL_SHM_DIR: folder,
      KVCTL_STATE_DIR: folder,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  },
)
const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
const {url, pid} = JSON.parse(line) as {url: string; pid: number}
await benchSampler()
await benchStats(url)
await benchStream(url, pid)
child.kill()
