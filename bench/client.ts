/**
 * How well kvctl's load generator sees, beside a bare socket loop and an undici loop on the same server in one run. Each
 * client is a process of its own; the server writes down when it really sent each token.
 *
 *   npm run build:test && node build/bench/client.js [streams…]
 *
 * Prints the error of TTFT (reported − true), p50 / p99 / max, and CPU per token-bearing chunk: medians of five rounds.
 */
import {execFile} from 'node:child_process'
import {connect} from 'node:net'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {request} from 'undici'
import {benchOptions, loadJob, runJob} from '../test/support/load-job.js'
import {startTruthServer} from '../test/support/truth.js'
import {median} from './support/median.js'

const CLIENTS = ['kvctl', 'bare socket', 'undici'] as const
type Client = (typeof CLIENTS)[number]
const ROUNDS = 5
const TOKENS = 64
const REQUESTS_PER_STREAM = 3

interface Seen {
  readonly ttftMs: Readonly<Record<string, number>>
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

async function runKvctl(port: number, streams: number): Promise<Record<string, number>> {
  const options = benchOptions({requests: streams * REQUESTS_PER_STREAM, concurrency: streams})
  const job = loadJob(port, {...options, request: {...options.request, maxTokens: TOKENS}})
  const {records} = await runJob(job)
  return Object.fromEntries(
    records.map(record => [record.requestId, record.firstTokenAtMs! - record.sentAtMs!]),
  )
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

async function undiciStream(
  port: number,
  ids: readonly string[],
  seen: Record<string, number>,
): Promise<void> {
  for (const id of ids) {
    const sentMs = performance.now()
    const {body} = await request(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: 'POST',
      headers: {'x-request-id': id},
      body: BODY,
    })
    for await (const bytes of body) {
      const nowMs = performance.now()
      if (!(id in seen) && isToken((bytes as Buffer).toString('latin1'))) seen[id] = nowMs - sentMs
    }
  }
}

async function runClient(client: Client, port: number, streams: number): Promise<Seen> {
  const before = process.cpuUsage()
  let ttftMs: Record<string, number> = {}
  if (client === 'kvctl') {
    ttftMs = await runKvctl(port, streams)
  } else {
    const stream = client === 'undici' ? undiciStream : bareStream
    const idsOf = (slot: number): string[] =>
      Array.from({length: REQUESTS_PER_STREAM}, (_, i) => `test-${slot * REQUESTS_PER_STREAM + i + 1}`)
    const seen = ttftMs
    await Promise.all(Array.from({length: streams}, (_, slot) => stream(port, idsOf(slot), seen)))
  }
  const {user, system} = process.cpuUsage(before)
  return {ttftMs, cpuMs: (user + system) / 1000}
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!

async function round(client: Client, streams: number): Promise<readonly number[]> {
  const server = await startTruthServer({ttftMs: 100, gapMs: 25, tokens: TOKENS})
  const self = fileURLToPath(import.meta.url)
  const args = [self, '--as', client, String(server.port), String(streams)]
  const {stdout} = await promisify(execFile)(process.execPath, args, {timeout: 120_000, maxBuffer: 2 ** 26})
  const {ttftMs, cpuMs} = JSON.parse(stdout) as Seen
  const truth = await server.stop()
  const errors = truth
    .map(({requestId, tokenMs, receivedMs}) => ttftMs[requestId]! - (tokenMs[0]! - receivedMs))
    .sort((left, right) => left - right)
  const chunks = truth.reduce((sum, {tokenMs}) => sum + tokenMs.length, 0)
  return [quantile(errors, 0.5), quantile(errors, 0.99), errors.at(-1)!, (cpuMs / chunks) * 1000]
}

async function compare(streams: number): Promise<void> {
  const rounds = new Map<Client, (readonly number[])[]>(CLIENTS.map(client => [client, []]))
  // Clients take turns within a round, so that a noisy minute meets all of them.
  for (let i = 0; i < ROUNDS; i++) {
    for (const client of CLIENTS) rounds.get(client)!.push(await round(client, streams))
  }
  console.log(`\n${streams} streams     TTFT error ms: p50      p99      max   CPU µs/chunk`)
  for (const [client, figures] of rounds) {
    const cells = [0, 1, 2, 3].map(column =>
      median(figures.map(row => row[column]!))
        .toFixed(2)
        .padStart(9),
    )
    console.log(client.padEnd(24), cells.join(''))
  }
}

const [flag, client, port, count] = process.argv.slice(2)
if (flag === '--as') {
  process.stdout.write(JSON.stringify(await runClient(client as Client, Number(port), Number(count))))
} else {
  const asked = process.argv.slice(2).map(Number)
  for (const streams of asked.length > 0 ? asked : [64, 256]) await compare(streams)
}
