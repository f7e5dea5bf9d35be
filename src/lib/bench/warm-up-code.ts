import {once} from 'node:events'
import {createServer, type AddressInfo, type Socket} from 'node:net'
import {setImmediate as nextTurn} from 'node:timers/promises'
import type {BenchPlan, RequestShape} from './bench-plan.js'
import {createInstrumentMeter} from './instrument.js'
import {LoadLoop} from './load-loop.js'
import type {LoadTransport, TransportTarget} from './load-transport.js'
import type {RequestBuilder} from './request-builder.js'

const [STREAMS, REQUESTS, CHUNKS] = [16, 256, 12]
/** On a slow or busy machine it is left at what was run until then. */
const AT_MOST_MS = 150
const LIMITS = {connectMs: 2000, firstTokenMs: null, idleMs: null, totalMs: 5000}

/**
 * Runs the whole path against a listener of our own on the loopback, many streams at a time and each chunk in a read of its
 * own, so that the first measured answers are not read by code that the engine has yet to compile: cold code added 18–24 ms
 * to the TTFT of a first wave.
 */
export async function warmUpCode(
  plan: BenchPlan,
  openTransport: (target: TransportTarget) => LoadTransport,
): Promise<void> {
  const answer = sampleAnswer(plan.request)
  const sockets = new Set<Socket>()
  const server = createServer({noDelay: true}, socket => {
    sockets.add(socket)
    socket.on('data', () => void stream(socket, answer))
    socket.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address() as AddressInfo
  const transport = openTransport({
    host: '127.0.0.1',
    port,
    isTls: false,
    isInsecure: false,
    isKept: true,
    limits: LIMITS,
  })
  const instrument = createInstrumentMeter()
  const loop = new LoadLoop({
    plan: {
      ...plan,
      userGapMs: null,
      concurrency: STREAMS,
      options: {...plan.options, rampUpMs: 0, cancelShare: 0, stages: []},
    },
    list: {
      ids: Uint32Array.from({length: REQUESTS}, (_, index) => index + 1),
      turns: null,
      warmups: REQUESTS,
      timesMs: null,
      durationMs: null,
    },
    transports: [transport],
    builder: BUILDER,
    delayMs: () => 0,
    instrument,
    whenAllAreWarm: async () => 0,
    onRecord: () => undefined,
  })
  const enough = setTimeout(() => loop.stop(), AT_MOST_MS)
  try {
    await transport.open(STREAMS, AbortSignal.timeout(LIMITS.connectMs))
    instrument.start()
    await loop.run(performance.now())
  } finally {
    clearTimeout(enough)
    instrument.stop()
    transport.close()
    server.close()
    for (const socket of sockets) socket.destroy()
  }
}

async function stream(socket: Socket, answer: readonly Buffer[]): Promise<void> {
  for (const piece of answer) {
    if (socket.destroyed) return
    socket.write(piece)
    await nextTurn()
  }
}

const REQUEST = Buffer.from('POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n')
const BUILDER: RequestBuilder = {
  isKnown: () => true,
  isRepeated: () => false,
  answered: () => undefined,
  build: id => ({id, requestId: '', traceId: '', session: id, turn: 0, target: 0, bytes: REQUEST}),
}

/** Pieces of an answer, in the order in which they are sent. */
function sampleAnswer({api}: RequestShape): Buffer[] {
  const choice = (text: string): object =>
    api === 'chat' ? {delta: {content: text}, finish_reason: null} : {text, finish_reason: null}
  const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
  const chunk = (text: string): string => event({id: 'warm-up', choices: [{index: 0, ...choice(text)}]})
  const last = [
    event({choices: [{index: 0, finish_reason: 'length'}]}),
    event({choices: [], usage: {prompt_tokens: 1, completion_tokens: CHUNKS, total_tokens: CHUNKS + 1}}),
    'data: [DONE]\n\n',
  ]
  const framed = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
  return [
    'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n',
    ...Array.from({length: CHUNKS}, (_, i) => framed(chunk(` ${i}`))),
    `${last.map(framed).join('')}0\r\n\r\n`,
  ].map(text => Buffer.from(text))
}
