import {RelayConnection, type RelayLimits, type RelayOrigin} from './relay-connection.js'
import {
  requestBytes,
  type Relayed,
  type RelayFailure,
  type RelayRequest,
  type RelaySink,
} from './relay-exchange.js'

/** Connections to one server, kept alive between requests. */
export interface RelayPool {
  send(request: RelayRequest, sink: RelaySink): Relayed
  /** Lets running exchanges end. */
  close(): Promise<void>
}

const CONNECT_MS = 5000
/** Below the keep-alive time of uvicorn (5 s) and Node (5 s), so that a request seldom meets a connection that just ended. */
const KEEP_ALIVE_MS = 4000
/** How often limits are looked at, at most: no timer of its own for each request. */
const CHECK_MS = 500

/**
 * Passes requests and answers through as they are, event by event and no faster than the client reads.
 *
 * @param origin scheme, host and port
 * @param patienceMs to the first byte of an answer, and between two of its bytes
 */
export function createRelayPool(origin: string, patienceMs: number): RelayPool {
  return new ConnectionPool(origin, {connectMs: CONNECT_MS, patienceMs, keepAliveMs: KEEP_ALIVE_MS})
}

class ConnectionPool implements RelayPool {
  readonly #origin: RelayOrigin
  readonly #hostHeader: string
  readonly #limits: RelayLimits
  readonly #connections = new Set<RelayConnection>()
  /** The last one to become idle is the next to be used. */
  readonly #idle: RelayConnection[] = []
  #timer: NodeJS.Timeout | null = null
  #isClosing = false
  readonly #tellClosed: (() => void)[] = []

  constructor(origin: string, limits: RelayLimits) {
    const {protocol, hostname, host, port} = new URL(origin)
    const isTls = protocol === 'https:'
    // An address of IPv6 stands in brackets in a URL only.
    this.#origin = {host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (isTls ? 443 : 80)), isTls}
    this.#hostHeader = host
    this.#limits = limits
  }

  send(request: RelayRequest, sink: RelaySink): Relayed {
    if (this.#isClosing) return refuse(sink, 'broken', 'its connections are closed')
    let bytes: Buffer[]
    try {
      bytes = requestBytes(request, this.#hostHeader)
    } catch (error) {
      return refuse(sink, 'invalid', (error as Error).message)
    }
    return this.#take().send(bytes, request.method, sink)
  }

  async close(): Promise<void> {
    this.#isClosing = true
    for (const connection of [...this.#idle]) connection.close()
    if (this.#connections.size > 0) await new Promise<void>(resolve => this.#tellClosed.push(resolve))
  }

  #take(): RelayConnection {
    const nowMs = performance.now()
    for (let unused = this.#idle.pop(); unused !== undefined; unused = this.#idle.pop()) {
      if (unused.isFresh(nowMs)) return unused
      unused.close()
    }
    const connection = new RelayConnection(this.#origin, this.#limits, {
      idle: one => {
        if (this.#isClosing) one.close()
        else this.#idle.push(one)
      },
      closed: one => this.#forget(one),
    })
    this.#connections.add(connection)
    this.#timer ??= setInterval(() => this.#check(), Math.min(CHECK_MS, this.#limits.patienceMs / 4)).unref()
    return connection
  }

  #check(): void {
    const nowMs = performance.now()
    for (const connection of [...this.#connections]) connection.checkLimits(nowMs)
  }

  #forget(connection: RelayConnection): void {
    this.#connections.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    if (this.#connections.size > 0) return
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
    for (const tell of this.#tellClosed.splice(0)) tell()
  }
}

/** Tells the sink when its owner has what `send` returns. */
function refuse(sink: RelaySink, kind: RelayFailure['kind'], message: string): Relayed {
  let isOver = false
  queueMicrotask(() => {
    if (!isOver) sink.fail({kind, message})
  })
  return {
    resume() {},
    abort() {
      isOver = true
    },
  }
}
