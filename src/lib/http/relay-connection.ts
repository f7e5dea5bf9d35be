import {connect as connectTcp, isIP, type Socket, type TcpSocketConnectOpts} from 'node:net'
import {connect as connectTls} from 'node:tls'
import {AnswerReader} from './answer-reader.js'
import {headersToForward} from './forward-headers.js'
import type {Relayed, RelayFailure, RelaySink} from './relay-exchange.js'

const READ_BYTES = 64 * 1024
/** All connections read into one buffer: what is passed on is copied out of it before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)
/** A server that says how long it keeps a connection may count from a little earlier. */
const KEEP_ALIVE_MARGIN_MS = 1000

export interface RelayOrigin {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
}

export interface RelayLimits {
  readonly connectMs: number
  /** To the first byte of an answer, and between two of its bytes. */
  readonly patienceMs: number
  /** An unused connection is closed after this time, or sooner where the server says so. */
  readonly keepAliveMs: number
}

/** What a connection needs of the pool it belongs to. */
export interface RelayOwner {
  /** It finished an exchange and can take another. */
  idle(connection: RelayConnection): void
  /** It is gone for good. */
  closed(connection: RelayConnection): void
}

/** One keep-alive HTTP/1.1 connection without pipelining. Reads without Node's streams: one call from the socket to the sink. */
export class RelayConnection {
  readonly #owner: RelayOwner
  readonly #limits: RelayLimits
  readonly #socket: Socket
  readonly #reader: AnswerReader
  #phase: 'connecting' | 'open' | 'closed' = 'connecting'
  #sink: RelaySink | null = null
  #isPaused = false
  /** Since when it connects, waits for a byte, or is unused. */
  #sinceMs = performance.now()
  #keepAliveMs: number

  constructor({host, port, isTls}: RelayOrigin, limits: RelayLimits, owner: RelayOwner) {
    this.#owner = owner
    this.#limits = limits
    this.#keepAliveMs = limits.keepAliveMs
    this.#reader = new AnswerReader({
      head: (status, reason, headers) => this.#sink?.head(status, reason, headersToForward(headers)),
      body: (bytes, start, end) => this.#pass(bytes, start, end),
    })
    const options: TcpSocketConnectOpts = {
      ...{host, port, noDelay: true},
      onread: {buffer: readBuffer, callback: length => this.#read(length)},
    }
    const names = isIP(host) === 0 ? {servername: host} : {}
    this.#socket = isTls
      ? connectTls({...options, ...names, ALPNProtocols: ['http/1.1']})
      : connectTcp(options)
    this.#socket
      .once(isTls ? 'secureConnect' : 'connect', () => {
        if (this.#phase === 'connecting') this.#phase = 'open'
        this.#sinceMs = performance.now()
      })
      .on('error', (error: NodeJS.ErrnoException) => this.#fail(failureOf(error)))
      .on('end', () => this.#peerClosed())
      .on('close', () => this.#peerClosed())
  }

  /** Sends now, or when the connection is open. Only for a connection that is new, or that its owner heard to be idle. */
  send(bytes: readonly Buffer[], method: string, sink: RelaySink): Relayed {
    this.#sink = sink
    this.#reader.expect(method)
    if (this.#phase === 'open') this.#sinceMs = performance.now()
    const [first, second] = bytes
    if (second === undefined) {
      this.#socket.write(first!)
    } else {
      this.#socket.cork()
      this.#socket.write(first!)
      this.#socket.write(second)
      this.#socket.uncork()
    }
    return {
      resume: () => {
        if (this.#sink === sink) this.#resume()
      },
      abort: () => {
        if (this.#sink !== sink) return
        this.#sink = null
        this.close()
      },
    }
  }

  /** Whether an unused one may still be used: a server is about to close what has rested for long. */
  isFresh(nowMs: number): boolean {
    return this.#phase === 'open' && nowMs - this.#sinceMs < this.#keepAliveMs
  }

  /** Ends the connection when one of its limits has passed. */
  checkLimits(nowMs: number): void {
    const sinceMs = nowMs - this.#sinceMs
    const {connectMs, patienceMs} = this.#limits
    if (this.#sink === null) {
      if (!this.isFresh(nowMs)) this.close()
    } else if (this.#phase === 'connecting') {
      if (sinceMs > connectMs)
        this.#fail({kind: 'unreachable', message: `no connection within ${connectMs} ms`})
    } else if (sinceMs > patienceMs && !this.#isPaused) {
      this.#fail({kind: 'late', message: `nothing came for ${patienceMs} ms`})
    }
  }

  close(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#socket.destroy()
    this.#owner.closed(this)
  }

  /** @returns whether to read on */
  #read(length: number): boolean {
    // Nobody asked for anything: what comes belongs to no request, and the connection cannot be trusted with the next.
    if (this.#sink === null) {
      this.close()
      return false
    }
    this.#sinceMs = performance.now()
    try {
      const end = this.#reader.feed(readBuffer, length)
      if (this.#reader.isDone) this.#complete(end === length && this.#reader.isKeptAlive)
    } catch (error) {
      this.#fail({kind: 'broken', message: (error as Error).message})
    }
    return !this.#isPaused
  }

  #pass(bytes: Buffer, start: number, end: number): void {
    const sink = this.#sink
    if (sink === null) return
    const chunk = Buffer.allocUnsafe(end - start)
    bytes.copy(chunk, 0, start, end)
    if (!sink.data(chunk)) this.#isPaused = true
  }

  #resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#sinceMs = performance.now()
    this.#socket.resume()
  }

  #complete(isReusable: boolean): void {
    const sink = this.#sink
    this.#sink = null
    if (sink === null) return
    this.#keepAliveMs = Math.min(
      this.#limits.keepAliveMs,
      this.#reader.keepAliveS * 1000 - KEEP_ALIVE_MARGIN_MS,
    )
    // An answer may come before the whole request is sent; the rest of it would stand before the next one.
    if (isReusable && this.#socket.writableLength === 0 && this.#keepAliveMs > 0) {
      // Also for the close that may come.
      this.#resume()
      this.#owner.idle(this)
    } else {
      this.close()
    }
    sink.end()
  }

  #peerClosed(): void {
    if (this.#phase === 'closed') return
    if (this.#sink === null) {
      this.close()
      return
    }
    try {
      this.#reader.finish()
      this.#complete(false)
    } catch (error) {
      this.#fail({kind: 'broken', message: (error as Error).message})
    }
  }

  #fail(failure: RelayFailure): void {
    const sink = this.#sink
    this.#sink = null
    this.close()
    sink?.fail(failure)
  }
}

function failureOf({code = '', message}: NodeJS.ErrnoException): RelayFailure {
  const isUnreachable = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].includes(
    code,
  )
  return {kind: isUnreachable ? 'unreachable' : 'broken', message: message || code}
}
