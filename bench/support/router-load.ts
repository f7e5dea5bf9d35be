/**
 * Clients of a gateway on bare sockets, as a process of their own.
 *
 *   node router-load.js '{"port":8000,"connections":64,"requests":256,"events":16,"gapMs":10}'
 *
 * Every connection sends one request after another. Prints `{"firstByteMs":[…],"seconds"}`. With a negative gap each opens one
 * stream and holds it; `{"open"}` is printed when all have begun, and stdin ends them.
 */
import {once} from 'node:events'
import {connect, type Socket} from 'node:net'

export interface RouterLoad {
  readonly port: number
  readonly connections: number
  /** Of all connections together. */
  readonly requests: number
  /** null asks for whole answers. */
  readonly events: number | null
  readonly gapMs: number
}

/** Between two requests of a connection with streams: else all of them would go in step. */
const THINK_MS = 40

const load = JSON.parse(process.argv[2]!) as RouterLoad
const body = JSON.stringify({
  ...{model: 'm', prompt: 'Once upon a time'},
  ...(load.events !== null && {stream: true, max_tokens: load.events, gap_ms: load.gapMs}),
})
const request = `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`

/** @returns ms to the first byte, when the answer is over; at once for streams that are held */
async function ask(socket: Socket): Promise<number> {
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
const perConnection = load.requests / load.connections
async function client(): Promise<void> {
  const socket = connect({port: load.port, host: '127.0.0.1', noDelay: true})
  await once(socket, 'connect')
  for (let turn = 0; turn < perConnection; turn++) {
    if (load.events !== null && load.gapMs >= 0)
      await new Promise(resolve => setTimeout(resolve, Math.random() * THINK_MS))
    firstByteMs.push(await ask(socket))
  }
  if (load.gapMs >= 0) socket.destroy()
}

const started = performance.now()
if (load.gapMs < 0) {
  // A listen queue is shorter than all of them.
  for (let opened = 0; opened < load.connections; opened += 50)
    await Promise.all(Array.from({length: Math.min(50, load.connections - opened)}, client))
  process.stdout.write('{"open":true}\n')
  process.stdin.resume().on('end', () => process.exit(0))
} else {
  await Promise.all(Array.from({length: load.connections}, client))
  process.stdout.write(`${JSON.stringify({firstByteMs, seconds: (performance.now() - started) / 1000})}\n`)
}
