import {connect as connectTcp, isIP, type Socket, type TcpSocketConnectOpts} from 'node:net'
import {connect as connectTls} from 'node:tls'
import {openRunDelay} from '../processes/index.js'
import type {Failure} from '../runs/index.js'
import type {ExchangeListener, TransportTarget} from './load-transport.js'
import {ReadDelays} from './read-delay.js'
import {MOST_READS, ReadQueue, type ReadTaker} from './read-queue.js'
import {ResponseError} from './response-error.js'
import {ResponseReader} from './response-reader.js'

const READ_BYTES = 256 * 1024
/** All connections of a process read into one buffer, with room for a line feed behind: it is left before the next read begins. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES + 1)
/** All connections of a process share its polls. */
const reads = new ReadQueue(new ReadDelays(MOST_READS + 1, openRunDelay))
const [CR, LF] = [13, 10]

/** Before anything is decided of what was not read. */
export function takeReads(): void {
  reads.takeAll()
}

/** What a connection needs of the pool it belongs to. */
export interface ConnectionOwner {
  /** It finished an exchange and can take another. */
  idle(connection: Connection): void
  /** It was closed before a byte of this request was written: another has to carry it. */
  send(bytes: Buffer, listener: ExchangeListener): void
  /** It is gone for good. */
  closed(connection: Connection): void
}

/** One keep-alive HTTP/1.1 connection without pipelining. */
export class Connection implements ReadTaker {
  readonly #target: TransportTarget
  readonly #isKept: boolean
  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  readonly #reader: ResponseReader
  readonly #startedAtMs = performance.now()
  readonly opened: Promise<boolean>
  #settleOpened: (isOpen: boolean) => void = () => undefined
  #phase: 'tcp' | 'tls' | 'open' | 'closed' = 'tcp'
  #listener: ExchangeListener | null = null
  /** Between an answer and the moment from which it is known that the server did not close behind it. */
  #isResting = false
  /** A request that waits for the connection to open, or to have rested. */
  #waiting: Buffer | null = null
  #startedExchangeMs = this.#startedAtMs
  #lastByteMs = this.#startedAtMs

  constructor(target: TransportTarget, address: string, owner: ConnectionOwner) {
    this.#target = target
    this.#isKept = target.isKept
    this.#owner = owner
    this.opened = new Promise(resolve => (this.#settleOpened = resolve))
    this.#reader = new ResponseReader({
      head: head => this.#listener!.head(head),
      body: (bytes, start, end) => this.#listener!.body(bytes, start, end),
      end: () => undefined,
    })
    const options: TcpSocketConnectOpts = {
      host: address,
      port: target.port,
      noDelay: true,
      onread: {
        buffer: readBuffer.subarray(0, READ_BYTES),
        callback: (length: number) => {
          this.#read(length)
          return true
        },
      },
    }
    const names = isIP(target.host) === 0 ? {servername: target.host} : {}
    this.#socket = target.isTls
      ? connectTls({
          ...options,
          ...names,
          ALPNProtocols: ['http/1.1'],
          rejectUnauthorized: !target.isInsecure,
        })
      : connectTcp(options)
    this.#socket
      .once('connect', () => {
        if (target.isTls) this.#phase = 'tls'
        else this.#isOpen()
      })
      .once('secureConnect', () => this.#isOpen())
      .on('error', (error: NodeJS.ErrnoException) => this.#broke(error))
      .on('end', () => this.#peerClosed())
      .on('close', () => this.#peerClosed())
  }

  /** Sends now, or as soon as the connection is open and has rested. */
  send(bytes: Buffer, listener: ExchangeListener): void {
    this.#listener = listener
    this.#startedExchangeMs = performance.now()
    if (this.#phase === 'open' && !this.#isResting) this.#write(bytes, null)
    else this.#waiting = bytes
  }

  /** Ends the connection when one of its limits has passed; after `takeReads`. */
  checkLimits(nowMs: number): void {
    const {connectMs, firstTokenMs, idleMs, totalMs} = this.#target.limits
    const listener = this.#listener
    if (this.#phase === 'tcp' || this.#phase === 'tls') {
      if (connectMs !== null && nowMs - this.#startedAtMs > connectMs) {
        this.#fail('timeout_connect', `no connection within ${connectMs} ms`)
      }
    } else if (listener !== null) {
      const sinceSent = nowMs - this.#startedExchangeMs
      if (totalMs !== null && sinceSent > totalMs) {
        this.#fail('timeout_total', `not done within ${totalMs} ms`)
      } else if (firstTokenMs !== null && sinceSent > firstTokenMs && !listener.hasToken) {
        this.#fail('timeout_first_token', `no token within ${firstTokenMs} ms`)
      } else if (idleMs !== null && nowMs - this.#lastByteMs > idleMs) {
        this.#fail('timeout_idle', `nothing came for ${idleMs} ms`)
      }
    }
  }

  abort(): void {
    reads.takeAll()
    if (this.#listener !== null) this.#fail('aborted', 'the run was stopped')
  }

  /** Hangs up if it is this exchange that it serves, and what was read is not its end. */
  cancel(listener: ExchangeListener): void {
    if (this.#listener !== listener) return
    reads.takeAll()
    if (this.#listener === listener) this.#fail('cancelled', 'the client hung up, as it was asked to')
  }

  close(): void {
    this.#phase = 'closed'
    this.#socket.destroy()
    this.#settleOpened(false)
  }

  #isOpen(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'open'
    this.#settleOpened(true)
    const bytes = this.#waiting
    this.#waiting = null
    if (bytes !== null) this.#write(bytes, performance.now() - this.#startedAtMs)
    else if (this.#listener === null) this.#owner.idle(this)
  }

  #write(bytes: Buffer, connectMs: number | null): void {
    const nowMs = performance.now()
    this.#lastByteMs = nowMs
    this.#startedExchangeMs = nowMs
    this.#reader.reset()
    this.#listener!.sent(nowMs, connectMs)
    this.#socket.write(bytes)
  }

  #read(length: number): void {
    const nowMs = performance.now()
    this.#lastByteMs = nowMs
    const isUrgent = this.#listener?.hasToken !== true || !this.#reader.isInChunks || mayEndChunks(length)
    reads.add(this, readBuffer, length, nowMs, isUrgent)
  }

  /** Stamped when it was read; seen when there was nothing more to read. */
  takeRead(bytes: Buffer, start: number, end: number, nowMs: number, delayMs: number): void {
    if (this.#phase === 'closed') return
    const listener = this.#listener
    if (listener === null) {
      // Nobody asked for anything: what comes belongs to no request, and the connection cannot be trusted with the next.
      this.#drop()
      return
    }
    listener.read(nowMs, delayMs)
    try {
      const seen = this.#reader.feed(bytes, start, end)
      if (this.#reader.isDone) this.#complete(seen === end && this.#reader.isKeptAlive && this.#isKept)
    } catch (error) {
      this.#refuse(error)
    }
  }

  #complete(isReusable: boolean): void {
    const listener = this.#listener!
    this.#listener = null
    if (isReusable) this.#rest()
    else this.#drop()
    listener.done()
  }

  /**
   * A close that came with the answer is read one turn of the event loop later: a request written in between would be lost,
   * and the loss be blamed on the server.
   */
  #rest(): void {
    this.#isResting = true
    this.#owner.idle(this)
    const hasRested = (): void => this.#hasRested()
    if (reads.isAfterPoll) setImmediate(hasRested)
    else setImmediate(() => setImmediate(hasRested))
  }

  #hasRested(): void {
    this.#isResting = false
    const bytes = this.#waiting
    this.#waiting = null
    if (bytes !== null && this.#phase === 'open') this.#write(bytes, null)
  }

  /** @returns whether what waited here for its turn was handed to another connection */
  #handsOn(): boolean {
    const [bytes, listener] = [this.#waiting, this.#listener]
    if (this.#phase !== 'open' || bytes === null || listener === null) return false
    this.#waiting = this.#listener = null
    this.#drop()
    this.#owner.send(bytes, listener)
    return true
  }

  #peerClosed(): void {
    reads.takeAll()
    if (this.#phase === 'closed' || this.#handsOn()) return
    if (this.#listener === null || this.#phase !== 'open') {
      this.#fail(this.#phase === 'tls' ? 'tls' : 'connect', 'the connection was closed before it was open')
      return
    }
    const isSilent = !this.#reader.hasBegun
    if (isSilent) {
      this.#fail('reset', 'the connection was closed without an answer')
      return
    }
    this.#listener.read(performance.now(), 0)
    try {
      this.#reader.finish()
      this.#complete(false)
    } catch (error) {
      this.#refuse(error)
    }
  }

  #broke(error: NodeJS.ErrnoException): void {
    reads.takeAll()
    if (this.#phase === 'closed' || this.#handsOn()) return
    const said =
      error.code === undefined || error.message.includes(error.code)
        ? error.message
        : `${error.code} ${error.message}`
    if (this.#phase === 'tcp') this.#fail('connect', said)
    else if (this.#phase === 'tls') this.#fail('tls', said)
    else this.#fail('reset', said)
  }

  #refuse(error: unknown): void {
    if (!(error instanceof ResponseError)) throw error
    this.#fail(error.failure, error.message)
  }

  #fail(failure: Failure, message: string): void {
    const listener = this.#listener
    this.#listener = null
    this.#drop()
    listener?.failed(failure, message)
  }

  #drop(): void {
    this.close()
    this.#owner.closed(this)
  }
}

/** Whether a read may bring the end of a chunked body: it ends with an empty line, or with a part of one that was cut. */
function mayEndChunks(length: number): boolean {
  return (
    length < 4 ||
    (readBuffer[length - 1] === LF &&
      readBuffer[length - 2] === CR &&
      readBuffer[length - 3] === LF &&
      readBuffer[length - 4] === CR)
  )
}
