import {lookup} from 'node:dns/promises'
import {isIP} from 'node:net'
import {Connection, takeReads, type ConnectionOwner} from './connection.js'
import type {ExchangeListener, LoadTransport, TransportTarget} from './load-transport.js'

/** Connections opened at a time before the run: a listen backlog is often 128. */
const OPEN_AT_ONCE = 64

/**
 * Bare sockets, opened before the run and kept: the HTTP and stream layers above them cost more time than what is measured.
 * The name is looked up once. Limits are checked by one timer for all connections.
 */
export class SocketTransport implements LoadTransport, ConnectionOwner {
  readonly #target: TransportTarget
  readonly #idle: Connection[] = []
  readonly #all = new Set<Connection>()
  readonly #sweep: NodeJS.Timeout
  #address: string

  constructor(target: TransportTarget) {
    this.#target = target
    this.#address = target.host
    this.#sweep = setInterval(() => this.#checkLimits(), sweepMs(target)).unref()
  }

  async open(connections: number, signal: AbortSignal): Promise<void> {
    await this.#findAddress(signal)
    if (!this.#target.isKept) return
    const opened: Promise<boolean>[] = []
    for (let i = 0; i < connections && !signal.aborted; i++) {
      opened.push(this.#connect().opened)
      if (opened.length % OPEN_AT_ONCE === 0) await Promise.all(opened)
    }
    await Promise.all(opened)
  }

  send(bytes: Buffer, listener: ExchangeListener): void {
    // The one that has rested longest: the server had most time to say that it closed it.
    const connection = this.#idle.shift() ?? this.#connect()
    connection.send(bytes, listener)
  }

  cancel(listener: ExchangeListener): void {
    for (const connection of this.#all) connection.cancel(listener)
  }

  idle(connection: Connection): void {
    this.#idle.push(connection)
  }

  closed(connection: Connection): void {
    this.#all.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  abort(): void {
    for (const connection of this.#all) connection.abort()
  }

  close(): void {
    clearInterval(this.#sweep)
    for (const connection of this.#all) connection.close()
    this.#all.clear()
    this.#idle.length = 0
  }

  #connect(): Connection {
    const connection = new Connection(this.#target, this.#address, this)
    this.#all.add(connection)
    return connection
  }

  /** A name may stand for several addresses (`localhost` for ::1 and 127.0.0.1): takes the first that accepts. */
  async #findAddress(signal: AbortSignal): Promise<void> {
    const {host} = this.#target
    if (isIP(host) !== 0) return
    try {
      const addresses = await lookup(host, {all: true, verbatim: true})
      for (const {address} of addresses) {
        if (signal.aborted) return
        this.#address = address
        if (addresses.length === 1 || (await this.#connect().opened)) return
      }
    } catch {
      // The name stays; every request will say that it cannot be resolved.
    }
  }

  #checkLimits(): void {
    takeReads()
    const nowMs = performance.now()
    for (const connection of this.#all) connection.checkLimits(nowMs)
  }
}

/** Fine enough for the shortest limit to be kept within a twentieth, coarse enough to cost nothing. */
function sweepMs({limits}: TransportTarget): number {
  const set = [limits.connectMs, limits.firstTokenMs, limits.idleMs, limits.totalMs].filter(ms => ms !== null)
  return Math.min(500, Math.max(2, Math.min(...set) / 20))
}
