import {once} from 'node:events'
import {createServer, type AddressInfo, type Socket} from 'node:net'
import type {BenchPlan, RequestShape} from './bench-plan.js'
import {InstrumentMeter} from './instrument.js'
import {LoadLoop} from './load-loop.js'
import type {LoadTransport, TransportTarget} from './load-transport.js'
import type {RequestBuilder} from './request-builder.js'

const [STREAMS, REQUESTS, PIECES] = [16, 256, 12]
/** Pieces that come in bursts, one of each stream; behind them comes one alone in each turn of the event loop. */
const IN_BURSTS = 1600
/** On a slow or busy machine it is left at what was run until then. */
const AT_MOST_MS = 180
const LIMITS = {connectMs: 2000, firstTokenMs: null, idleMs: null, totalMs: 5000}

/**
 * Runs the whole path against a listener of our own on the loopback, many streams at a time and each chunk in a read of its
 * own, so that the first measured answers are not read by code that the engine has yet to compile: cold code added 18–24 ms
 * to the TTFT of a first wave. What is compiled here is thrown away when it meets what it has not seen, which costs as much: so the
 * answers differ in keys and have escapes, and what is called for each chunk are methods of classes, not functions made anew for a run.
 */
export async function warmUpCode(
  plan: BenchPlan,
  openTransport: (target: TransportTarget) => LoadTransport,
): Promise<void> {
  const answers = sampleAnswers(plan.request)
  const sockets = new Set<Socket>()
  const speak = speaker()
  const server = createServer({noDelay: true}, socket => {
    const answer = answers[sockets.size % answers.length]!
    sockets.add(socket)
    socket.on('data', () => speak(socket, answer))
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
  const instrument = new InstrumentMeter()
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

/** @returns sends the pieces of an answer, each in a turn of the event loop of its own */
function speaker(): (socket: Socket, answer: readonly Buffer[]) => void {
  const speaking: {readonly socket: Socket; readonly answer: readonly Buffer[]; next: number}[] = []
  let spoken = 0
  const turn = (): void => {
    for (let left = spoken < IN_BURSTS ? speaking.length : 1; left > 0; left--) {
      const one = speaking.shift()!
      if (!one.socket.destroyed) one.socket.write(one.answer[one.next++]!)
      if (!one.socket.destroyed && one.next < one.answer.length) speaking.push(one)
      spoken++
    }
    if (speaking.length > 0) setImmediate(turn)
  }
  return (socket, answer) => {
    if (speaking.push({socket, answer, next: 0}) === 1) setImmediate(turn)
  }
}

const REQUEST = Buffer.from('POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n')
const BUILDER: RequestBuilder = {
  isKnown: () => true,
  isRepeated: () => false,
  answered: () => undefined,
  build: id => ({id, requestId: '', traceId: '', session: id, turn: 0, target: 0, bytes: REQUEST}),
}

/** What servers say beside the text, in chunks and in their choices. */
const KEYS: readonly (readonly [object, object])[] = [
  [{}, {}],
  [{object: 'chat.completion.chunk'}, {logprobs: null}],
  [
    {object: 'chat.completion.chunk', created: 1},
    {logprobs: null, stop_reason: null},
  ],
  [
    {object: 'chat.completion.chunk', created: 1, model: 'm'},
    {logprobs: null, token_ids: null},
  ],
  [{created: 1, model: 'm', usage: null}, {matched_stop: null}],
  // Usage that grows with the stream: each chunk has to be parsed.
  [
    {created: 1, model: 'm', usage: {prompt_tokens: 1, completion_tokens: 1, total_tokens: 2}},
    {logprobs: null},
  ],
  [
    {created: 1, model: 'm', system_fingerprint: null, usage: null},
    {logprobs: null, matched_stop: null},
  ],
]

/** Answers of servers that differ, each in the pieces in which it is sent. */
function sampleAnswers({api}: RequestShape): Buffer[][] {
  return KEYS.map(([inChunk, inChoice], place) => {
    const ofRole = place % 2 === 0 ? {} : {role: 'assistant'}
    const event = (choices: readonly object[], more: object = {}): string =>
      framed(`data: ${JSON.stringify({id: 'warm-up', ...inChunk, choices, ...more})}\n\n`)
    const choice = (said: object, reason: string | null): object =>
      api === 'chat'
        ? {index: 0, delta: {...ofRole, ...said}, ...inChoice, finish_reason: reason}
        : {index: 0, text: '', ...said, ...inChoice, finish_reason: reason}
    const text = (chunk: number): string => (chunk % 5 === 3 ? ` \n"${chunk}"` : ` ${chunk}`)
    const said = (chunk: number): object => ({[api === 'chat' ? 'content' : 'text']: text(chunk)})
    const usage = {prompt_tokens: 1, completion_tokens: 1, total_tokens: 2}
    return [
      'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n',
      ...Array.from({length: PIECES}, (_, piece) =>
        Array.from({length: 1 + (piece % 4)}, (_, chunk) => event([choice(said(piece + chunk), null)])).join(
          '',
        ),
      ),
      `${event([choice({}, 'length')])}${event([], {usage})}${framed('data: [DONE]\n\n')}0\r\n\r\n`,
    ].map(piece => Buffer.from(piece))
  })
}

function framed(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`
}
