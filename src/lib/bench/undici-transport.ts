import {createStreamPool, streamFailureOf, type StreamFailure, type StreamPool} from '../http/index.js'
import type {Failure} from '../runs/index.js'
import type {ExchangeListener, LoadTransport, TransportTarget} from './load-transport.js'
import {ResponseError} from './response-error.js'

const FAILURES: Readonly<Record<StreamFailure, Failure>> = {
  connect: 'connect',
  timeout_connect: 'timeout_connect',
  timeout_idle: 'timeout_idle',
  tls: 'tls',
  reset: 'reset',
  invalid: 'invalid_response',
}

interface Exchange {
  readonly listener: ExchangeListener
  readonly startedMs: number
  readonly breakOff: () => void
  failure: {kind: Failure; message: string} | null
}

/**
 * The same requests through a stock HTTP library, to check the own reader against: what both agree on is the server's. It
 * stamps what undici hands on, which is later than the read, and knows no bound of that; connections open when first needed.
 */
export class UndiciTransport implements LoadTransport {
  readonly #limits: TransportTarget['limits']
  readonly #pool: StreamPool
  readonly #running = new Set<Exchange>()
  readonly #sweep: NodeJS.Timeout

  constructor({host, port, isTls, isInsecure, isKept, limits}: TransportTarget) {
    const name = host.includes(':') ? `[${host}]` : host
    this.#limits = limits
    this.#pool = createStreamPool(`${isTls ? 'https' : 'http'}://${name}:${port}`, {
      isInsecure,
      isKept,
      connectTimeoutMs: limits.connectMs,
      idleTimeoutMs: limits.idleMs,
    })
    this.#sweep = setInterval(() => this.#checkLimits(), 50).unref()
  }

  async open(): Promise<void> {
    // undici opens a connection with its first request.
  }

  send(bytes: Buffer, listener: ExchangeListener): void {
    const {path, headers, body} = takeApart(bytes)
    const exchange: Exchange = {
      listener,
      startedMs: performance.now(),
      failure: null,
      breakOff: this.#pool.post(
        {path, headers, body},
        {
          sent: () => listener.sent(performance.now(), null),
          head(status, contentType, retryAfter) {
            listener.read(performance.now(), 0)
            const type = contentType.split(';')[0]!.trim().toLowerCase()
            listener.head({status, contentType: type, retryAfter})
          },
          data: chunk => this.#take(exchange, chunk),
          end: () => this.#end(exchange),
          failed: error => this.#fail(exchange, error),
        },
      ),
    }
    this.#running.add(exchange)
  }

  cancel(listener: ExchangeListener): void {
    for (const exchange of [...this.#running]) {
      if (exchange.listener !== listener) continue
      this.#breakOff(exchange, 'cancelled', 'the client hung up, as it was asked to')
    }
  }

  abort(): void {
    for (const exchange of [...this.#running]) this.#breakOff(exchange, 'aborted', 'the run was stopped')
  }

  close(): void {
    clearInterval(this.#sweep)
    void this.#pool.close()
  }

  #take(exchange: Exchange, bytes: Buffer): void {
    exchange.listener.read(performance.now(), 0)
    try {
      exchange.listener.body(bytes, 0, bytes.length)
    } catch (error) {
      if (!(error instanceof ResponseError)) throw error
      this.#breakOff(exchange, error.failure, error.message)
    }
  }

  #end(exchange: Exchange): void {
    if (!this.#running.delete(exchange)) return
    exchange.listener.read(performance.now(), 0)
    exchange.listener.done()
  }

  #fail(exchange: Exchange, error: Error): void {
    if (!this.#running.delete(exchange)) return
    const failure = exchange.failure ?? {kind: FAILURES[streamFailureOf(error)], message: error.message}
    exchange.listener.failed(failure.kind, failure.message)
  }

  #breakOff(exchange: Exchange, kind: Failure, message: string): void {
    exchange.failure = {kind, message}
    exchange.breakOff()
    this.#fail(exchange, new Error(message))
  }

  #checkLimits(): void {
    const {firstTokenMs, totalMs} = this.#limits
    const nowMs = performance.now()
    for (const exchange of [...this.#running]) {
      const sinceMs = nowMs - exchange.startedMs
      if (totalMs !== null && sinceMs > totalMs) {
        this.#breakOff(exchange, 'timeout_total', `not done within ${totalMs} ms`)
      } else if (firstTokenMs !== null && sinceMs > firstTokenMs && !exchange.listener.hasToken) {
        this.#breakOff(exchange, 'timeout_first_token', `no token within ${firstTokenMs} ms`)
      }
    }
  }
}

/** A prepared request, back in the parts that undici wants. Host and length are its own. */
function takeApart(bytes: Buffer): {path: string; headers: Record<string, string>; body: Buffer} {
  const headEnd = bytes.indexOf('\r\n\r\n')
  const [request, ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const pairs = lines.map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
  })
  const headers = Object.fromEntries(pairs.filter(([name]) => name !== 'content-length'))
  return {path: request!.split(' ')[1]!, headers, body: bytes.subarray(headEnd + 4)}
}
