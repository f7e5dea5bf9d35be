import {connect, type NetConnectOpts, type Socket} from 'node:net'

/** So much is taken from the socket at a time, into one buffer that all replies share. */
const TAKE_BYTES = 256 * 2 ** 10
const MAX_LINE = 4096
const LINE_FEED = 0x0a

export interface ValueReaderOptions {
  readonly server: {readonly host: string; readonly port: number} | {readonly path: string}
  readonly username: string | null
  readonly password: string | null
  readonly database: number
  /** Without a byte for so long while something is asked, it is given up. */
  readonly timeoutMs: number
}

interface Asked {
  /** Null for what is asked before the first value: to be let in, and into the right database. */
  readonly into: Buffer | null
  readonly resolve: (bytes: number | null) => void
  readonly reject: (error: Error) => void
}

/** Thrown for what did not come in time: it is not asked again. */
export class ValueTimeout extends Error {}

/**
 * A connection to a Redis server that fetches large values alone, each straight into the memory that it is for. A client for
 * everything else collects 64 KiB at a time, joins them in fresh memory, and has them copied from there: five times the
 * processor for a chunk of 32 MiB (docs/adr/0030).
 *
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/ — RESP 2
 */
export class ValueReader {
  readonly #socket: Socket
  readonly #asked: Asked[] = []
  #line = ''
  /** Of the value that is coming: its bytes, how many came, and how many are still to come with the line's end behind it. */
  #value: {readonly bytes: number; came: number; left: number} | null = null

  constructor({server, username, password, database, timeoutMs}: ValueReaderOptions) {
    const options: NetConnectOpts = {
      ...server,
      onread: {
        buffer: Buffer.allocUnsafeSlow(TAKE_BYTES),
        callback: (bytes, buffer) => {
          this.#take((buffer as Buffer).subarray(0, bytes))
          return true
        },
      },
    }
    this.#socket = connect(options)
    this.#socket.setNoDelay(true)
    this.#socket.setTimeout(timeoutMs, () => {
      if (this.#asked.length > 0) this.#socket.destroy(new ValueTimeout(`no value within ${timeoutMs} ms`))
    })
    this.#socket.on('error', error => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('the connection was closed')))
    const greeting: string[][] = []
    if (password !== null) greeting.push(['AUTH', ...(username === null ? [] : [username]), password])
    if (database !== 0) greeting.push(['SELECT', String(database)])
    // What it fails with, every value that is asked for fails with.
    for (const words of greeting) this.#ask(words, null).catch(() => undefined)
  }

  /** Values that are asked for and not there. */
  get pending(): number {
    return this.#asked.length
  }

  get isClosed(): boolean {
    return this.#socket.destroyed
  }

  /**
   * Fills `into` from its beginning with what there is room for.
   *
   * @returns how many bytes the value has; null when there is none
   * @throws ValueTimeout, or Error with what the server or the system says; `into` is left alone from then on
   */
  async get(name: string, into: Buffer): Promise<number | null> {
    return this.#ask(['GET', name], into)
  }

  close(): void {
    this.#socket.destroy()
  }

  async #ask(words: readonly string[], into: Buffer | null): Promise<number | null> {
    if (this.#socket.destroyed) throw new Error('the connection was closed')
    return new Promise((resolve, reject) => {
      this.#asked.push({into, resolve, reject})
      const parts = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
      this.#socket.write(`*${words.length}\r\n${parts.join('')}`)
    })
  }

  #take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.#socket.destroyed;)
      at += this.#value === null ? this.#takeLine(bytes, at) : this.#takeValue(this.#value, bytes, at)
  }

  /** @returns how many bytes it took */
  #takeLine(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LINE_FEED, at)
    const part = bytes.toString('latin1', at, end < 0 ? bytes.length : end + 1)
    this.#line += part
    if (this.#line.length > MAX_LINE) this.#socket.destroy(new Error('the server does not speak RESP'))
    else if (end >= 0) {
      const line = this.#line.trimEnd()
      this.#line = ''
      this.#reply(line)
    }
    return part.length
  }

  #reply(line: string): void {
    const [kind, text] = [line[0], line.slice(1)]
    if (kind === '$' && /^\d+$/.test(text)) {
      const bytes = Number(text)
      this.#value = {bytes, came: 0, left: bytes + 2}
    } else if (kind === '-') {
      const error = new Error(text)
      // What is behind it would come from another database, or not at all.
      if (this.#asked[0]?.into === null) this.#fail(error)
      else this.#asked.shift()?.reject(error)
    } else if (kind === '+' || line === '$-1' || line === '_') this.#asked.shift()?.resolve(null)
    else this.#socket.destroy(new Error('the server does not speak RESP'))
  }

  #takeValue(value: {readonly bytes: number; came: number; left: number}, bytes: Buffer, at: number): number {
    const took = Math.min(value.left, bytes.length - at)
    const into = this.#asked[0]?.into
    const wanted = Math.min(took, value.bytes - value.came)
    if (into && wanted > 0 && value.came < into.length) bytes.copy(into, value.came, at, at + wanted)
    value.came += took
    value.left -= took
    if (value.left === 0) {
      this.#value = null
      this.#asked.shift()?.resolve(value.bytes)
    }
    return took
  }

  #fail(error: Error): void {
    this.#socket.destroy()
    for (const {reject} of this.#asked.splice(0)) reject(error)
  }
}
