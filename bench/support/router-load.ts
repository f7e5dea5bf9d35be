/**
 * Clients of a gateway on bare sockets, as a process of their own.
 *
 *   node router-load.js '{"port":8000,"connections":64,"requests":256,"events":16,"gapMs":10}'
 *
 * Every connection sends one request after another. Prints `{"firstByteMs":[…],"seconds"}`. Streams start at moments of their own:
 * before each its connection rests a random while, up to the time that a stream takes before the first, up to 40 ms before
 * the others, and streams have half to one and a half times the events. With `isBurst` all connections send at one instant
 * instead, and again when the last answer is over. With a negative gap each opens one stream and holds it; `{"open"}` is
 * printed when all have begun, and stdin ends them.
 */
import {once} from 'node:events'
import {connect, type Socket} from 'node:net'

export interface RouterLoad {
  readonly port: number
  readonly connections: number
  /** Of all connections together. */
  readonly requests: number
  /** Of these, those that each connection sends first and that are not counted: this process is new. */
  readonly unmeasured?: number
  /** null asks for whole answers. */
  readonly events: number | null
  readonly gapMs: number
  readonly isBurst?: boolean
}

/** Between two requests of a connection with streams. */
const REST_MS = 40

const load = JSON.parse(process.argv[2]!) as RouterLoad
/** @param events of a stream; null for a whole answer */
function requestFor(events: number | null): string {
  const body = JSON.stringify({
    ...{model: 'm', prompt: 'Once upon a time'},
    ...(events !== null && {stream: true, max_tokens: events, gap_ms: load.gapMs}),
  })
  return `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

/** As many events as asked for on the average, so that connections do not go in step. */
function nextRequest(): string {
  if (load.events === null || load.isBurst === true || load.gapMs < 0) return requestFor(load.events)
  return requestFor(Math.max(1, Math.round(load.events * (0.5 + Math.random()))))
}

/** @returns ms to the first byte, when the answer is over; at once for streams that are held */
async function ask(socket: Socket, request: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sentAt = performance.now()
    let firstMs = -1
    let text = ''
    const onClose = (): void => reject(new Error(`the gateway hung up after: ${text.slice(0, 300)}`))
    const onData = (bytes: Buffer): void => {
      if (firstMs < 0) firstMs = performance.now() - sentAt
      // Of a stream only its end matters.
      text = load.events === null ? text + bytes.toString('latin1') : bytes.toString('latin1').slice(-8)
      const isOver = load.events === null ? isWhole(text) : load.gapMs < 0 || text.endsWith('0\r\n\r\n')
      if (!isOver) return
      socket.off('data', onData).off('close', onClose)
      resolve(firstMs)
    }
    socket.on('data', onData).on('close', onClose)
    socket.write(request)
  })
}

function isWhole(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return false
  if (!text.startsWith('HTTP/1.1 200')) throw new Error(text.slice(0, 300))
  return text.length >= headEnd + 4 + Number(/content-length: (\d+)/i.exec(text)![1])
}

const firstByteMs: number[] = []
const {unmeasured = 0} = load
const turns = load.requests / load.connections

async function open(): Promise<Socket> {
  const socket = connect({port: load.port, host: '127.0.0.1', noDelay: true})
  await once(socket, 'connect')
  return socket
}

async function client(): Promise<void> {
  const socket = await open()
  const isStream = load.events !== null && load.gapMs >= 0
  for (let turn = 0; turn < turns; turn++) {
    const longestMs = turn === 0 ? Math.max(REST_MS, (load.events ?? 0) * load.gapMs) : REST_MS
    if (isStream) await new Promise(resolve => setTimeout(resolve, Math.random() * longestMs))
    const ms = await ask(socket, nextRequest())
    if (turn >= unmeasured) firstByteMs.push(ms)
  }
  if (load.gapMs >= 0) socket.destroy()
}

async function bursts(): Promise<void> {
  const sockets = await Promise.all(Array.from({length: load.connections}, open))
  for (let turn = 0; turn < turns; turn++) {
    const answers = await Promise.all(sockets.map(socket => ask(socket, nextRequest())))
    if (turn >= unmeasured) firstByteMs.push(...answers)
    await new Promise(resolve => setTimeout(resolve, REST_MS))
  }
  for (const socket of sockets) socket.destroy()
}

const started = performance.now()
if (load.gapMs < 0) {
  // A listen queue is shorter than all of them.
  for (let opened = 0; opened < load.connections; opened += 50)
    await Promise.all(Array.from({length: Math.min(50, load.connections - opened)}, client))
  process.stdout.write('{"open":true}\n')
  process.stdin.resume().on('end', () => process.exit(0))
} else {
  await (load.isBurst === true ? bursts() : Promise.all(Array.from({length: load.connections}, client)))
  process.stdout.write(`${JSON.stringify({firstByteMs, seconds: (performance.now() - started) / 1000})}\n`)
}
