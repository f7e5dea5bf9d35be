import {once} from 'node:events'
import {join} from 'node:path'
import {createServer, type AddressInfo, type Socket} from 'node:net'
import {packageRoot} from '../foundation/index.js'
import type {Worker} from '../processes/index.js'

/** The compiled entry file of the process that serves known times. */
export const knownServerPath = join(packageRoot, 'dist/workers/known-server.js')

/** The times at which it answers. */
export interface KnownTimes {
  readonly ttftMs: number
  readonly gapMs: number
  /** Chunks of an answer, one token each. */
  readonly chunks: number
}

export type KnownServerOrder = {readonly kind: 'serve'; readonly times: KnownTimes} | {readonly kind: 'tell'}

/** What it did for one request: instants just before and just after each write, on the machine's monotonic clock, ms. */
export interface KnownAnswer {
  readonly id: number
  readonly beforeMs: Float64Array
  readonly afterMs: Float64Array
}

export type KnownServerReport =
  | {readonly kind: 'listening'; readonly port: number}
  | {readonly kind: 'answers'; readonly answers: readonly KnownAnswer[]}

export type KnownServerProcess = Worker<KnownServerOrder, KnownServerReport>

interface Stream {
  readonly id: number
  readonly socket: Socket
  readonly firstAtMs: number
  readonly beforeMs: Float64Array
  readonly afterMs: Float64Array
  sent: number
}

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'

/**
 * Serves chat streams on the loopback as an engine does: in steps, each of which sends one token to every stream that is due,
 * and writes down when it really did. The yardstick of `--calibrate`.
 */
export class KnownServer {
  readonly #times: KnownTimes
  readonly #server = createServer({noDelay: true}, socket => this.#accept(socket))
  readonly #streams = new Set<Stream>()
  readonly #answers: KnownAnswer[] = []
  readonly #chunks: readonly Buffer[]
  readonly #end: Buffer
  #timer: NodeJS.Timeout | null = null

  constructor(times: KnownTimes) {
    this.#times = times
    this.#chunks = Array.from({length: 10}, (_, i) =>
      framed(event({choices: [{index: 0, delta: {content: ` t${i}`}, finish_reason: null}]})),
    )
    const usage = {prompt_tokens: 1, completion_tokens: times.chunks, total_tokens: times.chunks + 1}
    this.#end = Buffer.concat([
      framed(event({choices: [{index: 0, delta: {}, finish_reason: 'length'}]})),
      framed(event({choices: [], usage})),
      framed('data: [DONE]\n\n'),
      Buffer.from('0\r\n\r\n'),
    ])
  }

  /** @returns the port */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** Every answer that was sent whole so far. */
  get answers(): readonly KnownAnswer[] {
    return this.#answers
  }

  #accept(socket: Socket): void {
    let seen = ''
    socket.on('error', () => socket.destroy())
    socket.on('data', bytes => {
      seen += bytes.toString('latin1')
      const headEnd = seen.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const length = Number(/content-length: (\d+)/i.exec(seen)?.[1] ?? 0)
      if (seen.length < headEnd + 4 + length) return
      const id = Number(/x-request-id: \S*-(\d+)/i.exec(seen)?.[1] ?? 0)
      seen = ''
      this.#begin(socket, id)
    })
  }

  #begin(socket: Socket, id: number): void {
    const {ttftMs, gapMs, chunks} = this.#times
    socket.write(HEAD)
    const [beforeMs, afterMs] = [new Float64Array(chunks), new Float64Array(chunks)]
    this.#streams.add({id, socket, firstAtMs: performance.now() + ttftMs, beforeMs, afterMs, sent: 0})
    this.#timer ??= setInterval(() => this.#step(), gapMs)
  }

  #step(): void {
    const nowMs = performance.now()
    for (const stream of this.#streams) {
      if (stream.socket.destroyed) this.#streams.delete(stream)
      else if (stream.firstAtMs <= nowMs) this.#token(stream)
    }
    if (this.#streams.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  #token(stream: Stream): void {
    const {id, socket, beforeMs, afterMs} = stream
    beforeMs[stream.sent] = monotonicMs()
    socket.write(this.#chunks[stream.sent % this.#chunks.length]!)
    afterMs[stream.sent++] = monotonicMs()
    if (stream.sent < this.#times.chunks) return
    socket.write(this.#end)
    this.#streams.delete(stream)
    this.#answers.push({id, beforeMs, afterMs})
  }
}

function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`
}

function framed(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
