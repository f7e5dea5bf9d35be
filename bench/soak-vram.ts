/**
 * Holds `kvctl serve` to its promises under load: 200 readers of `/vram/stream` on one server, 100 requests a second for
 * `/proxy/stats` on another, both on stand-in drivers and at the same time.
 *
 *     npm run build && npm run build:test && node build/bench/soak-vram.js [SECONDS [STREAMS [RATE]]]
 *
 * Prints what was seen, and leaves with 1 where intervals are not 500 ± 50 ms from the 1st to the 99th percentile, memory
 * grows, a reader that stops costs anything, an answer is not 200, or the driver was asked more than once a second. With
 * KVCTL_SOAK_TIMING=report the intervals are only told: on a machine that others use they say more about those.
 */
import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync} from 'node:fs'
import {Agent, get} from 'node:http'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {repositoryRoot} from '../test/support/cli.js'
import {engineServer} from '../test/support/engine-page.js'
import {bareDriver, fullGpu} from '../test/support/nvml/driver-facts.js'
import {standInDriver, type Facts} from '../test/support/nvml/stand-in.js'
import {readStream} from './support/read-stream.js'
import {useOf} from './support/process-figures.js'

const [seconds = 60, streams = 200, rate = 100] = process.argv.slice(2).map(Number)
const isTimed = process.env['KVCTL_SOAK_TIMING'] !== 'report'
const GPUS = 8
const INTERVAL_MS = 500
const TOLERANCE_MS = 50
const MOST_GROWTH = 1.15

const folder = mkdtempSync(join(tmpdir(), 'kvctl-soak-'))
const children: ChildProcess[] = []
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, {recursive: true, force: true})
})

interface Server {
  readonly url: string
  readonly pid: number
}

async function serve(name: string, engineUrl: string): Promise<Server> {
  const facts = Object.assign(
    {},
    bareDriver(GPUS),
    ...Array.from({length: GPUS}, (_, index) => fullGpu(index)),
  )
  const driver = standInDriver(mkdtempSync(join(folder, `${name}-`)), facts as Facts)
  const env = {
    ...{...process.env, ...driver.env, KVCTL_ENGINE_URLS: engineUrl},
    ...{KVCTL_SHM_DIR: folder, KVCTL_STATE_DIR: join(folder, 'state'), KVCTL_TOKEN: '', KVMINI_TOKEN: ''},
  }
  const child = spawn(
    process.execPath,
    [join(repositoryRoot, 'bin/run.js'), 'serve', '--port', '0', '--json'],
    {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  children.push(child)
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return JSON.parse(line) as Server
}

const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const rank = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN

async function soakStreams({url, pid}: Server): Promise<string[]> {
  const readers = Array.from({length: streams}, () => readStream(url))
  const stopped = readStream(url)
  await sleep(3000)
  stopped.socket.pause()
  const early = (await useOf(pid)).rssMib
  await sleep(seconds * 1000 - 3000)
  const late = (await useOf(pid)).rssMib
  // The first second is that of 200 connections.
  const arrivals = readers.map(({arrivedMs}) => arrivedMs)
  const gaps = arrivals.flatMap(times => times.slice(2).map((time, index) => time - times[index + 1]!))
  gaps.sort((one, two) => one - two)
  const events = arrivals.reduce((sum, times) => sum + times.length, 0)
  const size = Math.round(readers[0]!.bytes() / Math.max(1, arrivals[0]!.length))
  const [low, middle, high] = [rank(gaps, 0.01), rank(gaps, 0.5), rank(gaps, 0.99)]
  console.log(
    `/vram/stream   ${streams} readers, ${seconds} s, ${events} events of ${size} bytes (${GPUS} GPUs, blocks=none)`,
  )
  console.log(`  interval     p1 ${low.toFixed(1)}  p50 ${middle.toFixed(1)}  p99 ${high.toFixed(1)} ms`)
  console.log(`  memory       ${early.toFixed(0)} MiB after 3 s, ${late.toFixed(0)} MiB at the end`)
  const expected = streams * Math.floor((seconds * 1000) / INTERVAL_MS)
  return [
    ...(isTimed && (low < INTERVAL_MS - TOLERANCE_MS || high > INTERVAL_MS + TOLERANCE_MS)
      ? [`intervals are not ${INTERVAL_MS} ± ${TOLERANCE_MS} ms`]
      : []),
    ...(events < expected * (isTimed ? 0.95 : 0.5) ? [`${events} events, ${expected} were due`] : []),
    ...(late > early * MOST_GROWTH ? ['memory grew'] : []),
  ]
}

async function soakStats({url}: Server): Promise<string[]> {
  const agent = new Agent({keepAlive: true, maxSockets: 16})
  const statuses = new Map<string, number>()
  const lateness: number[] = []
  const ask = async (): Promise<void> => {
    const startMs = performance.now()
    const status = await new Promise<string>(resolve => {
      get(`${url}/proxy/stats`, {agent}, response => {
        response.resume()
        response.on('end', () => resolve(`${response.statusCode} ${String(response.headers['x-cache'])}`))
      }).on('error', error => resolve(error.message))
    })
    lateness.push(performance.now() - startMs)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  const startMs = performance.now()
  const asked: Promise<void>[] = []
  for (let sent = 0; sent < rate * seconds; sent++) {
    const dueMs = startMs + (sent * 1000) / rate
    if (dueMs > performance.now()) await sleep(dueMs - performance.now())
    asked.push(ask())
  }
  await Promise.all(asked)
  agent.destroy()
  const page = await (await fetch(`${url}/metrics`)).text()
  // The page itself takes a look.
  const rounds = Number(/^kvctl_gpu_looks_total (\d+)$/m.exec(page)![1]) - 1
  lateness.sort((one, two) => one - two)
  const seen = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')
  console.log(`/proxy/stats   ${rate} requests a second for ${seconds} s: ${seen}`)
  console.log(
    `  latency      p50 ${rank(lateness, 0.5).toFixed(2)}  p99 ${rank(lateness, 0.99).toFixed(2)} ms`,
  )
  console.log(`  driver       asked ${rounds} times`)
  const failed = [...statuses.keys()].filter(status => !/^200 (HIT|MISS)$/.test(status))
  return [
    ...(failed.length > 0 ? [`answers other than 200: ${failed.join(', ')}`] : []),
    ...(rounds > seconds + 1 ? [`the driver was asked ${rounds} times in ${seconds} s`] : []),
  ]
}

const engine = await engineServer({blocks: '14401', usage: 0.25})
const [streaming, statistics] = [await serve('streams', engine.url), await serve('stats', engine.url)]
const complaints = (await Promise.all([soakStreams(streaming), soakStats(statistics)])).flat()
for (const complaint of complaints) console.error(`FAILED ${complaint}`)
process.exit(complaints.length === 0 ? 0 : 1)
