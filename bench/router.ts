/**
 * What kvctl's router adds to an engine, beside no gateway at all, nginx as a plain reverse proxy, and the least that Node passes
 * on with (`bare`: node:http and undici, deciding nothing), in one run. The engine, the clients and each gateway are processes of
 * their own; nginx has one worker, so that each gateway has one core.
 *
 *   apt-get install -y --no-install-recommends nginx-light     # without it nginx is left out
 *   npm run build && npm run build:test && node build/bench/router.js [rounds]
 *
 * Prints medians of the rounds, in which all take short turns at each figure, so that what else the machine does meets all: what is
 * added to the first byte of a stream, p50 and p99, at 64 streams after a rest, and at 1 and 64; the same of 64 requests at one
 * instant; streamed events a second that one core of the gateway passes on; requests a second at 16 connections; and memory,
 * fresh and at 1,000 open streams.
 *
 * A gateway runs for days and is measured as such: each one, and the engine alone, is first sent the same requests of both
 * kinds, which are not counted. Nor are the first two of each connection, since the client is a new process every time.
 * Streams start and end at moments of their own, as those of users do; what happens when all come at once has its own line.
 */
import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {fileURLToPath} from 'node:url'
import {freePort} from '../test/support/free-port.js'
import {findProgram} from '../test/support/requires.js'
import {startServe} from '../test/support/serve-process.js'
import {median} from './support/median.js'
import type {RouterLoad} from './support/router-load.js'

type Load = Omit<RouterLoad, 'port'>

const ROUNDS = Number(process.argv[2] ?? 5)
const TICKS_PER_SECOND = 100
/** ovg-project/kvcached's own controller, 16 connections, on a machine of two cores. */
const UPSTREAM_REQUESTS_PER_S = 1188

/** Before the first turn of a round: time enough for Node to tidy up after the round before. */
const REST_MS = 20_000
const STREAMS = {connections: 64, requests: 64 * 12, unmeasured: 2, events: 16, gapMs: 5}
/** Where first bytes are timed: all turns of a round together often enough that a p99 is not the slowest one. */
const FIRST_BYTE_LOADS: readonly {readonly name: string; readonly turns: number; readonly load: Load}[] = [
  {name: '64 streams after a rest', turns: 1, load: STREAMS},
  {
    name: '1 stream',
    turns: 3,
    load: {connections: 1, requests: 102, unmeasured: 2, events: 4, gapMs: 5},
  },
  {name: '64 streams', turns: 3, load: STREAMS},
  {
    name: '64 at one instant',
    turns: 2,
    load: {connections: 64, requests: 64 * 10, unmeasured: 2, events: 4, gapMs: 5, isBurst: true},
  },
]
/** Sent to each before anything is counted. */
const WARM_UP = [
  {connections: 64, requests: 6400, events: null, gapMs: 0},
  {connections: 64, requests: 64 * 40, events: 8, gapMs: 2},
  {connections: 1, requests: 40, events: 4, gapMs: 5},
] as const

interface Gateway {
  readonly name: string
  readonly port: number
  /** The process that passes bytes on; null for none. */
  readonly pid: number | null
}

const folder = mkdtempSync(join(tmpdir(), 'kvctl-router-'))
const children: ChildProcess[] = []

function startRole(role: string, ...args: string[]): ChildProcess {
  const path = fileURLToPath(new URL(`support/${role}.js`, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], {stdio: ['pipe', 'pipe', 'inherit']})
  children.push(child)
  return child
}

async function firstLine(child: ChildProcess): Promise<string> {
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${child.spawnargs.join(' ')} ended`)
  })
  const [line] = (await Promise.race([once(createInterface(child.stdout!), 'line'), ended])) as [string]
  ended.catch(() => undefined)
  return line
}

async function startNginx(enginePort: number): Promise<Gateway | null> {
  const program = findProgram('nginx') ?? findProgram('/usr/sbin/nginx')
  if (program === null) return null
  const port = await freePort()
  const config = join(folder, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    name => `${name}_temp_path ${folder}/${name};`,
  )
  writeFileSync(
    config,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off; ${temporary.join(' ')}
  upstream engine { server 127.0.0.1:${enginePort}; keepalive 1024; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port}; keepalive_requests 100000000;
    location / { proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
  }
}
`,
  )
  const child = spawn(program, ['-c', config, '-e', 'stderr'], {stdio: 'ignore'})
  children.push(child)
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => null)
    if (answer?.status === 200) break
    if (child.exitCode !== null) throw new Error('nginx ended')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return {name: 'nginx', port, pid: childOf(child.pid!)}
}

/** nginx's master has one worker. */
function childOf(parent: number): number {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  const child = pids.find(pid => {
    try {
      return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]) === parent
    } catch {
      // It ended between the two.
      return false
    }
  })
  return Number(child)
}

async function startBare(enginePort: number): Promise<Gateway> {
  const child = startRole('bare-proxy', String(enginePort))
  const {port} = JSON.parse(await firstLine(child)) as {port: number}
  return {name: 'bare', port, pid: child.pid!}
}

async function startKvctl(enginePort: number): Promise<Gateway> {
  const path = join(folder, 'controller.yaml')
  writeFileSync(path, `instances: [{model: m, engine: openai, url: "http://127.0.0.1:${enginePort}"}]\n`)
  const {url, child} = await startServe('--config', path, '--api', 'router')
  children.push(child)
  return {name: 'kvctl', port: Number(new URL(url).port), pid: child.pid!}
}

/** Processor time so far, in seconds. @see proc(5) — utime and stime are fields 14 and 15 */
function cpuSeconds(pid: number | null): number {
  if (pid === null) return NaN
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

function residentMib(pid: number | null): number {
  if (pid === null) return NaN
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

async function run(load: RouterLoad): Promise<{firstByteMs: number[]; seconds: number}> {
  const line = await firstLine(startRole('router-load', JSON.stringify(load)))
  return JSON.parse(line) as {firstByteMs: number[]; seconds: number}
}

const quantile = (values: readonly number[], q: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!
}

type Figures = Record<string, number>

/** Every figure of every gateway, once; at each figure they take turns. */
async function measureRound(gateways: readonly Gateway[]): Promise<Figures[]> {
  const figures = gateways.map((): Figures => ({}))
  await new Promise(resolve => setTimeout(resolve, REST_MS))
  for (const {name, turns, load} of FIRST_BYTE_LOADS) {
    const firstBytesMs = gateways.map((): number[] => [])
    for (let turn = 0; turn < turns; turn++)
      for (const [index, {port}] of gateways.entries())
        firstBytesMs[index]!.push(...(await run({port, ...load})).firstByteMs)
    for (const [index, values] of firstBytesMs.entries()) {
      figures[index]![`${name} p50`] = quantile(values, 0.5)
      figures[index]![`${name} p99`] = quantile(values, 0.99)
    }
  }
  for (const [index, gateway] of gateways.entries()) Object.assign(figures[index]!, await throughput(gateway))
  return figures
}

async function throughput({port, pid}: Gateway): Promise<Figures> {
  const before = cpuSeconds(pid)
  const events = {connections: 64, requests: 128, events: 400, gapMs: 2}
  const streamed = await run({port, ...events})
  const total = events.requests * events.events
  const streamCpuSeconds = cpuSeconds(pid) - before
  const beforeRequests = cpuSeconds(pid)
  const whole = await run({port, connections: 16, requests: 16_000, events: null, gapMs: 0})
  return {
    'events/s passed': total / streamed.seconds,
    'events/s of a core': total / streamCpuSeconds,
    'requests/s, 16': 16_000 / whole.seconds,
    'requests/s of a core': 16_000 / (cpuSeconds(pid) - beforeRequests),
  }
}

/** MiB after a hundred requests, and with 1,000 streams open. */
async function memory({port, pid}: Gateway): Promise<[number, number]> {
  await run({port, connections: 10, requests: 100, events: null, gapMs: 0})
  const before = residentMib(pid)
  const child = startRole(
    'router-load',
    JSON.stringify({port, connections: 1000, requests: 1000, events: 1, gapMs: -1} satisfies RouterLoad),
  )
  await firstLine(child)
  const after = residentMib(pid)
  child.stdin!.end()
  await once(child, 'exit')
  return [before, after]
}

try {
  const engine = startRole('router-engine')
  const {port} = JSON.parse(await firstLine(engine)) as {port: number}
  const nginx = await startNginx(port)
  if (nginx === null) console.log('nginx is not installed here and left out')
  const gateways = [
    {name: 'direct', port, pid: null},
    ...(nginx ? [nginx] : []),
    await startBare(port),
    await startKvctl(port),
  ]
  // While nothing but a few requests has been asked of them.
  const held = new Map<string, [number, number]>()
  for (const gateway of gateways) if (gateway.pid !== null) held.set(gateway.name, await memory(gateway))
  for (const {port} of gateways) for (const load of WARM_UP) await run({port, ...load})
  const rounds = new Map<string, Figures[]>(gateways.map(({name}) => [name, []]))
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, figures] of (await measureRound(gateways)).entries())
      rounds.get(gateways[index]!.name)!.push(figures)

  const names = gateways.map(({name}) => name)
  const row = (title: string, digits: number, values: (name: string) => number): void => {
    const cells = names.map(name => {
      const value = values(name)
      return (Number.isFinite(value) ? value.toFixed(digits) : '').padStart(12)
    })
    console.log(title.padEnd(44), cells.join(''))
  }
  const figure = (key: string) => (name: string) => median(rounds.get(name)!.map(figures => figures[key]!))
  const added = (key: string) => (name: string) =>
    median(rounds.get(name)!.map((figures, round) => figures[key]! - rounds.get('direct')![round]![key]!))
  const sent = WARM_UP.reduce((total, {requests}) => total + requests, 0)
  console.log(`each was first sent the same ${sent} requests, not counted`)
  console.log(`medians of ${ROUNDS} rounds`.padEnd(44), names.map(name => name.padStart(12)).join(''))
  for (const {name: load} of FIRST_BYTE_LOADS) {
    for (const q of ['p50', 'p99']) {
      const key = `${load} ${q}`
      row(`first byte ${q}, ${load}, ms`, 3, figure(key))
      row('  added', 3, name => (name === 'direct' ? NaN : added(key)(name)))
    }
  }
  row('streamed events/s passed, 64 streams', 0, figure('events/s passed'))
  row('streamed events/s of one core', 0, figure('events/s of a core'))
  row('requests/s, 16 connections', 0, figure('requests/s, 16'))
  row(
    `  beside upstream's ${UPSTREAM_REQUESTS_PER_S}`,
    2,
    name => figure('requests/s, 16')(name) / UPSTREAM_REQUESTS_PER_S,
  )
  row('requests/s of one core', 0, figure('requests/s of a core'))
  row('resident, MiB', 1, name => held.get(name)?.[0] ?? NaN)
  row('  with 1,000 open streams', 1, name => held.get(name)?.[1] ?? NaN)
} finally {
  for (const child of children) child.kill('SIGTERM')
  rmSync(folder, {recursive: true, force: true})
}
