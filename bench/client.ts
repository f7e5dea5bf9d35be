/**
 * How well kvctl's load generator sees, beside vLLM's aiohttp client in few lines, its own undici transport and a bare socket
 * loop, on the same server in one run. Each client is a process of its own; the server writes down when it really sent each
 * token.
 *
 *   npm run build:test && node build/bench/client.js [rounds [streams…]]
 *
 * Prints the error of TTFT (reported − true), p50 / p99 / max; the median gap beside the server's own; and CPU per
 * token-bearing chunk: medians of the rounds. Then what one process of kvctl's can do: chunks and requests a second, lateness of
 * sends, the first wave, and memory.
 */
import {execFile} from 'node:child_process'
import {connect} from 'node:net'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {benchOptions, loadJob, runJob} from '../test/support/load-job.js'
import type {TransportKind} from '../src/lib/bench/index.js'
import {startTruthServer} from '../test/support/truth.js'
import type {TruthOptions} from '../test/support/truth-server.js'
import {median} from './support/median.js'

const CLIENTS = ['kvctl', 'kvctl undici', 'aiohttp', 'bare socket'] as const
type Client = (typeof CLIENTS)[number]
const PYTHON = '/usr/bin/python3'
const TOKENS = 64
const REQUESTS_PER_STREAM = 3

interface Seen {
  readonly ttftMs: Readonly<Record<string, number>>
  readonly gapsMs: readonly number[]
  readonly cpuMs: number
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
): Promise<Omit<Seen, 'cpuMs'>> {
  const options = benchOptions({requests: streams * REQUESTS_PER_STREAM, concurrency: streams})
  const job = loadJob(port, {...options, request: {...options.request, maxTokens: TOKENS}})
  const {records} = await runJob({...job, transport})
  return {
    ttftMs: Object.fromEntries(
      records.map(record => [record.requestId, record.firstTokenAtMs! - record.sentAtMs!]),
    ),
    gapsMs: records.flatMap(record => [...record.gapsUs].map(us => us / 1000)),
  }
}

/** The least a client can do: looks for the first token and for the end of the answer. */
async function bareStream(port: number, ids: readonly string[], seen: Record<string, number>): Promise<void> {
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

async function runClient(client: Client, port: number, streams: number): Promise<Seen> {
  const before = process.cpuUsage()
  let seen: Omit<Seen, 'cpuMs'>
  if (client === 'kvctl' || client === 'kvctl undici') {
    seen = await runKvctl(port, streams, client === 'kvctl' ? 'socket' : 'undici')
  } else {
    const ttftMs: Record<string, number> = {}
    const idsOf = (slot: number): string[] =>
      Array.from({length: REQUESTS_PER_STREAM}, (_, i) => `test-${slot * REQUESTS_PER_STREAM + i + 1}`)
    await Promise.all(Array.from({length: streams}, (_, slot) => bareStream(port, idsOf(slot), ttftMs)))
    seen = {ttftMs, gapsMs: []}
  }
  const {user, system} = process.cpuUsage(before)
  return {...seen, cpuMs: (user + system) / 1000}
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!

async function round(client: Client, streams: number): Promise<readonly number[]> {
  const server = await startTruthServer({ttftMs: 100, gapMs: 25, tokens: TOKENS})
  const [program, args] =
    client === 'aiohttp'
      ? [PYTHON, [AIOHTTP, ...[server.port, streams, REQUESTS_PER_STREAM, TOKENS].map(String)]]
      : [process.execPath, [SELF, '--as', client, String(server.port), String(streams)]]
  const {stdout} = await promisify(execFile)(program, args, {timeout: 120_000, maxBuffer: 2 ** 27})
  const {ttftMs, gapsMs, cpuMs} = JSON.parse(stdout) as Seen
  const truth = await server.stop()
  const errors = truth
    .map(({requestId, tokenMs, receivedMs}) => ttftMs[requestId]! - (tokenMs[0]! - receivedMs))
    .sort((left, right) => left - right)
  const trueGaps = truth.flatMap(({tokenMs}) => tokenMs.slice(1).map((at, index) => at - tokenMs[index]!))
  const gapError = gapsMs.length === 0 ? NaN : median(gapsMs) - median(trueGaps)
  const chunks = truth.reduce((sum, {tokenMs}) => sum + tokenMs.length, 0)
  return [quantile(errors, 0.5), quantile(errors, 0.99), errors.at(-1)!, gapError, (cpuMs / chunks) * 1000]
}

async function compare(streams: number, roundCount: number): Promise<void> {
  const rounds = new Map<Client, (readonly number[])[]>(CLIENTS.map(client => [client, []]))
  // Clients take turns within a round, so that a noisy minute meets all of them.
  for (let i = 0; i < roundCount; i++) {
    for (const client of CLIENTS) rounds.get(client)!.push(await round(client, streams))
  }
  console.log(`\n${streams} streams     TTFT error ms: p50      p99      max  gap error   CPU µs/chunk`)
  for (const [client, figures] of rounds) {
    const cells = [0, 1, 2, 3, 4].map(column =>
      median(figures.map(row => row[column]!))
        .toFixed(2)
        .padStart(10),
    )
    console.log(client.padEnd(24), cells.join(''))
  }
}

/** One process of kvctl's by itself: each line is what it does at most, or how late it is. */
async function alone(): Promise<void> {
  const run = async (
    server: Partial<TruthOptions>,
    options: Parameters<typeof benchOptions>[0],
    maxTokens: number,
  ) => {
    const truth = await startTruthServer({ttftMs: 0, gapMs: 1, tokens: maxTokens, ...server})
    const plan = benchOptions(options)
    const job = loadJob(truth.port, {...plan, request: {...plan.request, maxTokens}})
    const started = performance.now()
    const {records, reports} = await runJob(job)
    const ms = performance.now() - started
    const spanMs =
      Math.max(...records.map(record => record.doneAtMs!)) -
      Math.min(...records.map(record => record.sentAtMs!))
    const entries = new Map((await truth.stop()).map(entry => [entry.requestId, entry]))
    const finished = reports.find(report => report.kind === 'finished')!
    return {records, entries, ms, spanMs, instrument: finished.instrument}
  }
  const whole = await run({modes: ['one_write']}, {requests: 4000, concurrency: 64}, 64)
  console.log(
    `\n64 tokens in one write, 64 streams: ${Math.round((4000 * 1000) / whole.spanMs)} requests/s, ` +
      `${Math.round((4000 * 64 * 1000) / whole.spanMs)} chunks/s`,
  )
  const paced = await run({ttftMs: 20}, {requests: 300, ratePerSecond: 100, pattern: 'constant'}, 8)
  const {p50Ms, p99Ms} = paced.instrument.lateness
  console.log(`send lateness at 100/s: p50 ${p50Ms!.toFixed(3)} ms, p99 ${p99Ms!.toFixed(3)} ms`)
  const first = await run({ttftMs: 100, gapMs: 25}, {requests: 64, concurrency: 64}, 8)
  const errors = first.records.map(({requestId, firstTokenAtMs, sentAtMs}) => {
    const {tokenMs, receivedMs} = first.entries.get(requestId)!
    return firstTokenAtMs! - sentAtMs! - (tokenMs[0]! - receivedMs)
  })
  console.log(`first wave, cold, 64 streams: TTFT error p50 ${median(errors).toFixed(2)} ms`)
  console.log(`from the job to the first byte sent: ${(first.ms - first.spanMs).toFixed(0)} ms at most`)
}

const SELF = fileURLToPath(import.meta.url)
const AIOHTTP = fileURLToPath(new URL('../../bench/support/aiohttp_client.py', import.meta.url))
const [flag, ...rest] = process.argv.slice(2)
if (flag === '--as') {
  const [client, port, count] = rest
  process.stdout.write(JSON.stringify(await runClient(client as Client, Number(port), Number(count))))
} else if (flag === '--alone') {
  await alone()
} else {
  const streams = rest.length > 0 ? rest.map(Number) : [64, 256]
  for (const count of streams) await compare(count, Number(flag ?? 5))
  // A process of its own: code that is cold, and only its own processor time.
  const {stdout} = await promisify(execFile)(process.execPath, [SELF, '--alone'], {timeout: 120_000})
  process.stdout.write(stdout)
}
