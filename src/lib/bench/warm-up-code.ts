import {createServer, type AddressInfo} from 'node:net'
import {once} from 'node:events'
import type {RequestShape} from './bench-plan.js'
import {ExchangeRecorder, NOBODY} from './exchange-recorder.js'
import type {LoadTransport, TransportTarget} from './load-transport.js'

const EXCHANGES = 40
const CHUNKS = 64
const LIMITS = {connectMs: 2000, firstTokenMs: null, idleMs: null, totalMs: 5000}

/**
 * Runs the whole path once against a listener of our own on the loopback, so that the first measured answers are not read by
 * code that the engine has yet to compile: cold code added 18–24 ms to the TTFT of a first wave.
 */
export async function warmUpCode(
  shape: RequestShape,
  openTransport: (target: TransportTarget) => LoadTransport,
): Promise<void> {
  const answer = sampleAnswer(shape)
  const server = createServer(socket => {
    socket.on('data', () => socket.write(answer))
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
  try {
    await transport.open(4, AbortSignal.timeout(LIMITS.connectMs))
    const recorder = new ExchangeRecorder({originMs: 0, tokenRead: () => undefined})
    const request = Buffer.from('GET / HTTP/1.1\r\n\r\n')
    for (let id = 0; id < EXCHANGES; id++) {
      await new Promise<void>(resolve => {
        const identity = {...NOBODY, id}
        recorder.begin(identity, 0, () => resolve())
        transport.send(request, recorder)
      })
    }
  } finally {
    transport.close()
    server.close()
  }
}

function sampleAnswer({api}: RequestShape): Buffer {
  const choice = (text: string): object =>
    api === 'chat' ? {delta: {content: text}, finish_reason: null} : {text, finish_reason: null}
  const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
  const chunk = (text: string): string => event({id: 'warm-up', choices: [{index: 0, ...choice(text)}]})
  const events = [
    ...Array.from({length: CHUNKS}, (_, i) => chunk(` ${i}`)),
    event({choices: [{index: 0, finish_reason: 'length'}]}),
    event({choices: [], usage: {prompt_tokens: 1, completion_tokens: CHUNKS, total_tokens: CHUNKS + 1}}),
    'data: [DONE]\n\n',
  ]
  const chunks = [...events.map(text => `${text.length.toString(16)}\r\n${text}\r\n`), '0\r\n\r\n']
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${chunks.join('')}`,
  )
}
