/**
 * How well kvctl's load generator sees, beside vLLM's aiohttp client in few lines, its own undici transport and a bare socket
 * loop, on the same server in one run. Each client is a process of its own; the server, in C so that no pause of its own counts
 * as a client's, writes down when it really sent each token.
 *
 *   npm run build:test && node build/bench/client.js [rounds [streams…]]
 *
 * Prints the error of TTFT (reported − true), p50 / p99 / max; the median gap beside the server's own; and CPU per
 * token-bearing chunk once every stream had its first answer: medians of the rounds; and kvctl's share of aiohttp's beside the aim. autocannon stands there with its CPU
 * alone: it reads no stream. Then what one process of kvctl's does, each line in a process of its own: chunks and requests a
 * second, the median gap at 42,000 chunks a second, lateness of sends, the first wave, the time to the first byte, memory.
 * `client.js --alone [NAME…]` prints only those.
 */
import {execFile} from 'node:child_process'
import {connect} from 'node:net'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {benchOptions, loadJob, runJob} from '../test/support/load-job.js'
import {runLoadJob, type TransportKind} from '../src/lib/bench/index.js'
import {startTruthServer} from '../test/support/truth.js'
import type {TruthOptions} from '../test/support/truth-server.js'
import {median} from './support/median.js'
import {startTruthInC} from './support/truth-in-c.js'

const CLIENTS = ['kvctl', 'kvctl undici', 'aiohttp', 'autocannon', 'bare socket'] as const
type Client = (typeof CLIENTS)[number]
const PYTHON = '/usr/bin/python3'
const TOKENS = 64
const REQUESTS_PER_STREAM = 3

interface Seen {
  readonly ttftMs: Readonly<Record<string, number>>
  readonly gapsMs: readonly number[]
  /** CPU time since `markMs`, an instant of the machine's monotonic clock after the first answer of every stream. */
  readonly cpuMs: number
  readonly markMs: number
}

/** Marks where the run is under way: what a client does to start is no cost of a chunk. */
class CpuMark {
  #left: number
  #markMs = 0
  #before = process.cpuUsage()

  /** @param streams how many answers begin a run */
  constructor(streams: number) {
    this.#left = streams
  }

  answered(): void {
    if (--this.#left > 0 || this.#markMs > 0) return
    this.#markMs = monotonicMs()
    this.#before = process.cpuUsage()
  }

  get seen(): Pick<Seen, 'cpuMs' | 'markMs'> {
    const {user, system} = process.cpuUsage(this.#before)
    return {cpuMs: (user + system) / 1000, markMs: this.#markMs}
  }
}

const BODY = JSON.stringify({
  model: 'truth',
  messages: [{role: 'user', content: 'Say something, please.'}],
  max_tokens: TOKENS,
  stream: true,
  stream_options: {include_usage: true},
})
const isToken = (text: string): boolean => text.includes('"content":" t') || text.includes('"content":" \\"')

async function runKvctl(
  port: number,
  streams: number,
  transport: TransportKind,
  mark: CpuMark,
): Promise<Answers> {
  const options = benchOptions({requests: streams * REQUESTS_PER_STREAM, concurrency: streams})
  const job = loadJob(port, {...options, request: {...options.request, maxTokens: TOKENS}})
  const {records} = await runJob({...job, transport}, NEVER, report => {
    if (report.kind === 'records') for (let i = 0; i < report.records.length; i++) mark.answered()
  })
  return {
    ttftMs: Object.fromEntries(
      records.map(record => [record.requestId, record.firstTokenAtMs! - record.sentAtMs!]),
    ),
    gapsMs: records.flatMap(record => [...record.gapsUs].map(us => us / 1000)),
  }
}

/** The least a client can do: looks for the first token and for the end of the answer. */
async function bareStream(
  port: number,
  ids: readonly string[],
  seen: Record<string, number>,
  mark: CpuMark,
): Promise<void> {
  const socket = connect({port, host: '127.0.0.1', noDelay: true})
  await new Promise<void>(resolve => socket.once('connect', resolve))
  for (const id of ids) {
    let sentMs = 0
    await new Promise<void>(resolve => {
      const onData = (bytes: Buffer): void => {
        const nowMs = performance.now()
        const text = bytes.toString('latin1')
        if (!(id in seen) && isToken(text)) seen[id] = nowMs - sentMs
        if (!text.includes('[DONE]')) return
        socket.off('data', onData)
        mark.answered()
        resolve()
      }
      socket.on('data', onData)
      const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-request-id: ${id}\r\ncontent-length: ${BODY.length}\r\n\r\n`
      sentMs = performance.now()
      socket.write(head + BODY)
    })
  }
  socket.destroy()
}

/** It takes an answer whole: when its tokens came it does not know. */
async function runAutocannon(port: number, streams: number, mark: CpuMark): Promise<void> {
  const {default: autocannon} = await import('autocannon')
  await autocannon({
    url: `http://127.0.0.1:${port}/v1/chat/completions`,
    method: 'POST',
    headers: {'content-type': 'application/json', 'x-request-id': 'autocannon'},
    body: BODY,
    connections: streams,
    amount: streams * REQUESTS_PER_STREAM,
    setupClient: client => client.on('response', () => mark.answered()),
  })
}

async function runClient(client: Client, port: number, streams: number): Promise<Seen> {
  const mark = new CpuMark(streams)
  const answers = await answersOf(client, port, streams, mark)
  return {...answers, ...mark.seen}
}

type Answers = Pick<Seen, 'ttftMs' | 'gapsMs'>

async function answersOf(client: Client, port: number, streams: number, mark: CpuMark): Promise<Answers> {
  if (client === 'kvctl' || client === 'kvctl undici')
    return runKvctl(port, streams, client === 'kvctl' ? 'socket' : 'undici', mark)
  if (client === 'autocannon') {
    await runAutocannon(port, streams, mark)
    return {ttftMs: {}, gapsMs: []}
  }
  const ttftMs: Record<string, number> = {}
  const idsOf = (slot: number): string[] =>
    Array.from({length: REQUESTS_PER_STREAM}, (_, i) => `test-${slot * REQUESTS_PER_STREAM + i + 1}`)
  await Promise.all(Array.from({length: streams}, (_, slot) => bareStream(port, idsOf(slot), ttftMs, mark)))
  return {ttftMs, gapsMs: []}
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!

async function round(client: Client, streams: number): Promise<readonly number[]> {
  const server = await startTruthInC({ttftMs: 100, gapMs: 25, tokens: TOKENS})
  const [program, args] =
    client === 'aiohttp'
      ? [PYTHON, [AIOHTTP, ...[server.port, streams, REQUESTS_PER_STREAM, TOKENS].map(String)]]
      : [process.execPath, [SELF, '--as', client, String(server.port), String(streams)]]
  const {stdout} = await promisify(execFile)(program, args, {timeout: 120_000, maxBuffer: 2 ** 27})
  const {ttftMs, gapsMs, cpuMs, markMs} = JSON.parse(stdout) as Seen
  const truth = await server.stop()
  const errors = truth
    .map(({requestId, tokenMs, receivedMs}) => (ttftMs[requestId] ?? NaN) - (tokenMs[0]! - receivedMs))
    .sort((left, right) => left - right)
  const trueGaps = truth.flatMap(({tokenMs}) => tokenMs.slice(1).map((at, index) => at - tokenMs[index]!))
  const gapError = gapsMs.length === 0 ? NaN : median(gapsMs) - median(trueGaps)
  const chunks = truth.reduce((sum, {tokenMs}) => sum + tokenMs.filter(at => at > markMs).length, 0)
  return [quantile(errors, 0.5), quantile(errors, 0.99), errors.at(-1)!, gapError, (cpuMs / chunks) * 1000]
}

async function compare(streams: number, roundCount: number): Promise<void> {
  const rounds = new Map<Client, (readonly number[])[]>(CLIENTS.map(client => [client, []]))
  // Clients take turns within a round, so that a noisy minute meets all of them.
  for (let i = 0; i < roundCount; i++) {
    for (const client of CLIENTS) rounds.get(client)!.push(await round(client, streams))
  }
  console.log(`\n${streams} streams     TTFT error ms: p50      p99      max  gap error   CPU µs/chunk`)
  const middles = new Map(
    [...rounds].map(([client, figures]) => [
      client,
      [0, 1, 2, 3, 4].map(at => median(figures.map(row => row[at]!))),
    ]),
  )
  const cell = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(2)).padStart(10)
  for (const [client, figures] of middles) console.log(client.padEnd(24), figures.map(cell).join(''))
  const [own, theirs] = [middles.get('kvctl')!, middles.get('aiohttp')!]
  const share = (at: number): string => `1/${(theirs[at]! / own[at]!).toFixed(1)}`
  console.log(
    `of aiohttp's: TTFT error p50 ${share(0)} (aim 1/10), p99 ${share(1)} (aim 1/5), CPU ${share(4)} (aim 1/2.5)`,
  )
}

/** One job in this process, and what its server wrote down. */
async function runAlone(
  server: Partial<TruthOptions>,
  options: Parameters<typeof benchOptions>[0],
  maxTokens: number,
) {
  const truth = await startTruthServer({ttftMs: 0, gapMs: 1, tokens: maxTokens, isWarm: true, ...server})
  const plan = benchOptions(options)
  const job = loadJob(truth.port, {...plan, request: {...plan.request, maxTokens}})
  const startedMs = monotonicMs()
  const {records, reports, originMs} = await runJob(job)
  const [firstMs, lastMs] = [
    Math.min(...records.map(record => record.sentAtMs!)),
    Math.max(...records.map(record => record.doneAtMs!)),
  ]
  const entries = new Map((await truth.stop()).map(entry => [entry.requestId, entry]))
  const finished = reports.find(report => report.kind === 'finished')!
  return {
    ...{records, entries, instrument: finished.instrument, spanMs: lastMs - firstMs},
    firstByteMs: originMs + firstMs - startedMs,
  }
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** What one process of kvctl's does, one line each. */
const ALONE: Readonly<Record<string, () => Promise<string>>> = {
  async capacity() {
    const {spanMs} = await runAlone({modes: ['one_write']}, {requests: 4000, concurrency: 64}, 64)
    const perSecond = (count: number): number => Math.round((count * 1000) / spanMs)
    return `64 tokens in one write, 64 streams: ${perSecond(4000)} requests/s (aim ≥ 4000), ${perSecond(4000 * 64)} chunks/s (aim ≥ 100000)`
  },
  async gaps() {
    const [streams, tokens, gapMs] = [256, 200, 6]
    const {records, entries} = await runAlone(
      {ttftMs: 50, gapMs},
      {requests: streams, concurrency: streams},
      tokens,
    )
    const truth = [...entries.values()]
    const trueGaps = truth.flatMap(({tokenMs}) => tokenMs.slice(1).map((at, index) => at - tokenMs[index]!))
    const instants = truth.flatMap(({tokenMs}) => [tokenMs[0]!, tokenMs.at(-1)!])
    const rate = (streams * tokens * 1000) / (Math.max(...instants) - Math.min(...instants))
    const [seen, really] = [
      median(records.flatMap(({gapsUs}) => [...gapsUs].map(us => us / 1000))),
      median(trueGaps),
    ]
    return `median gap at ${Math.round(rate)} chunks/s: ${seen.toFixed(3)} ms, true ${really.toFixed(3)} ms: ${(100 * (seen / really - 1)).toFixed(1)} % off (aim ≤ 5 % at 42000/s)`
  },
  async lateness() {
    const paced = {requests: 300, ratePerSecond: 100, pattern: 'constant'} as const
    const {instrument} = await runAlone({ttftMs: 20}, paced, 8)
    const {p50Ms, p99Ms} = instrument.lateness
    return `send lateness at 100/s: p50 ${p50Ms!.toFixed(3)} ms (aim ≤ 0.3), p99 ${p99Ms!.toFixed(3)} ms (aim ≤ 5)`
  },
  async 'first-wave'() {
    // In C: a server that reads 64 requests one after the other in JavaScript is itself late by the aim.
    const server = await startTruthInC({ttftMs: 100, gapMs: 25, tokens: 8})
    const {records} = await runJob(loadJob(server.port, benchOptions({requests: 64, concurrency: 64})))
    const truth = new Map((await server.stop()).map(times => [times.requestId, times]))
    const errors = records.map(({requestId, firstTokenAtMs, sentAtMs}) => {
      const {tokenMs, receivedMs} = truth.get(requestId)!
      return firstTokenAtMs! - sentAtMs! - (tokenMs[0]! - receivedMs)
    })
    return `first wave, cold, 64 streams: TTFT error p50 ${median(errors).toFixed(2)} ms (aim ≤ 2)`
  },
  async 'first-byte'() {
    const {firstByteMs} = await runAlone({ttftMs: 5}, {requests: 8, concurrency: 8}, 4)
    return `from the job to the first byte sent, in a process that has done nothing before: ${firstByteMs.toFixed(0)} ms (aim ≤ 250)`
  },
  async memory() {
    const requests = 100_000
    const truth = await startTruthServer({ttftMs: 0, gapMs: 0, tokens: 8, modes: ['one_write']})
    const job = loadJob(truth.port, benchOptions({requests, concurrency: 64}))
    const originNs = Number(process.hrtime.bigint())
    const startLine = {begin: async () => originNs, measure: async () => Number(process.hrtime.bigint())}
    let done = 0
    // Records leave for the parent as they do in a run: what is kept is what the load process needs.
    await runLoadJob(
      job,
      report => (done += report.kind === 'records' ? report.records.length : 0),
      startLine,
      NEVER,
    )
    // Before the server's own log is read.
    const mb = process.resourceUsage().maxRSS / 1024
    await truth.stop()
    return `memory of the process for ${done} requests: ${mb.toFixed(0)} MB (aim ≤ 150)`
  },
}
const NEVER = new AbortController().signal

const SELF = fileURLToPath(import.meta.url)
const AIOHTTP = fileURLToPath(new URL('../../bench/support/aiohttp_client.py', import.meta.url))
const [flag, ...rest] = process.argv.slice(2)
if (flag === '--as') {
  const [client, port, count] = rest
  process.stdout.write(JSON.stringify(await runClient(client as Client, Number(port), Number(count))))
} else if (flag === '--one') {
  process.stdout.write(`${await ALONE[rest[0]!]!()}\n`)
} else {
  const isAlone = flag === '--alone'
  const streams = rest.length > 0 ? rest.map(Number) : [64, 256]
  if (!isAlone) for (const count of streams) await compare(count, Number(flag ?? 5))
  console.log('')
  for (const name of isAlone && rest.length > 0 ? rest : Object.keys(ALONE)) {
    // A process of its own: code that is cold, and only its own processor time and memory.
    const {stdout} = await promisify(execFile)(process.execPath, [SELF, '--one', name], {timeout: 300_000})
    process.stdout.write(stdout)
  }
}
