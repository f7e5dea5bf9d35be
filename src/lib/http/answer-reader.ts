import {isFieldText, isToken} from './header-text.js'

/** Where the parts of one answer go. Bytes are only lent for the call. */
export interface AnswerHandler {
  /** @param headers names and values in turn, as the server wrote them */
  head(status: number, reason: string, headers: string[]): void
  body(bytes: Buffer, start: number, end: number): void
}

/** What came is no HTTP/1.1 answer, or not all of one. */
export class AnswerError extends Error {}

const STATE = {
  head: 0,
  length: 1,
  chunkSize: 2,
  chunkExtension: 3,
  chunkData: 4,
  chunkEnd: 5,
  chunkEndLf: 6,
  trailers: 7,
  untilClose: 8,
  done: 9,
} as const
type State = (typeof STATE)[keyof typeof STATE]

/** Of a head and of trailers. */
const MAX_HEAD_BYTES = 64 * 1024
const MAX_EXTENSION_BYTES = 16 * 1024
const MAX_SIZE_DIGITS = 12
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/
const [LF, CR, SEMICOLON, SPACE, TAB] = [10, 13, 59, 32, 9]
const HEAD_END = '\r\n\r\n'

/**
 * Reads HTTP/1.1 answers from bytes as they come, however they are cut: content-length, chunked (extensions, trailers) and
 * close-delimited bodies, 1xx answers before the final one. As strict as a parser that stands between two others has to be: what could
 * be read in two ways is refused. Copies nothing but heads.
 *
 * @see RFC 9112 section 6.3 — message body length
 */
export class AnswerReader {
  readonly #handler: AnswerHandler
  #state: State = STATE.head
  #isHeadRequest = false
  /** The part of a head, or of a line of trailers, that came so far. */
  #text = ''
  #extraBytes = 0
  #remaining = 0
  #digits = 0
  #isKeptAlive = true
  #keepAliveS = Infinity

  constructor(handler: AnswerHandler) {
    this.#handler = handler
  }

  get isDone(): boolean {
    return this.#state === STATE.done
  }

  /** Whether the server lets the connection serve another request; known once the answer is done. */
  get isKeptAlive(): boolean {
    return this.#isKeptAlive
  }

  /** How long the server says that it keeps the connection, in seconds; Infinity when it says nothing. */
  get keepAliveS(): number {
    return this.#keepAliveS
  }

  /** Makes ready for the answer to a request with this method. */
  expect(method: string): void {
    this.#isHeadRequest = method === 'HEAD'
    this.#state = STATE.head
    this.#text = ''
    this.#extraBytes = 0
    this.#isKeptAlive = true
    this.#keepAliveS = Infinity
  }

  /**
   * Takes the bytes of one read.
   *
   * @returns where the answer ended; less than `end` when the server sent more than it was asked for
   * @throws AnswerError when it is no HTTP/1.1
   */
  feed(bytes: Buffer, end: number): number {
    let at = 0
    while (at < end && this.#state !== STATE.done) {
      switch (this.#state) {
        case STATE.head:
          at = this.#readHead(bytes, at, end)
          break
        case STATE.length:
        case STATE.chunkData:
          at = this.#readCounted(bytes, at, end)
          break
        case STATE.chunkSize:
        case STATE.chunkExtension:
          at = this.#readChunkSize(bytes, at, end)
          break
        case STATE.chunkEnd:
        case STATE.chunkEndLf:
          at = this.#readChunkEnd(bytes[at]!, at)
          break
        case STATE.trailers:
          at = this.#readTrailers(bytes, at, end)
          break
        case STATE.untilClose:
          this.#handler.body(bytes, at, end)
          at = end
          break
      }
    }
    return at
  }

  /**
   * The server closed its side.
   *
   * @throws AnswerError unless the answer was complete, or is one that the close ends
   */
  finish(): void {
    if (this.#state !== STATE.done && this.#state !== STATE.untilClose)
      throw new AnswerError('the server closed the connection')
    this.#state = STATE.done
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    const before = this.#text.length
    // The end may lie across two reads.
    const text = this.#text + bytes.toString('latin1', start, Math.min(end, start + MAX_HEAD_BYTES))
    const stop = text.indexOf(HEAD_END, Math.max(0, before - HEAD_END.length))
    if (stop < 0 || stop > MAX_HEAD_BYTES) {
      if (text.length >= MAX_HEAD_BYTES)
        throw new AnswerError(`the head of the answer exceeds ${MAX_HEAD_BYTES} bytes`)
      this.#text = text
      return end
    }
    this.#text = ''
    this.#takeHead(text, stop)
    return start + stop + HEAD_END.length - before
  }

  #takeHead(text: string, stop: number): void {
    let at = lineEnd(text, 0, stop)
    const line = text.slice(0, at)
    const match = STATUS_LINE.exec(line)
    if (!match || !isFieldText(line)) throw new AnswerError(`not an HTTP/1.1 answer: '${printable(line)}'`)
    const [shown, minor, digits] = match
    const status = Number(digits)
    if (status === 101) throw new AnswerError('the server switched protocols')
    const headers: string[] = []
    let [length, encoding, connection] = ['', '', '']
    while (at < stop) {
      const from = at + 2
      at = lineEnd(text, from, stop)
      const colon = text.indexOf(':', from)
      const name = text.slice(from, colon)
      const value = text.slice(colon + 1, at).trim()
      if (colon < 0 || colon >= at || !isToken(name) || !isFieldText(value))
        throw new AnswerError(`not a header line: '${printable(text.slice(from, at))}'`)
      headers.push(name, value)
      switch (name.toLowerCase()) {
        case 'content-length':
          if (length !== '' || !/^\d{1,15}$/.test(value))
            throw new AnswerError(`not a content length: '${printable(value)}'`)
          length = value
          break
        case 'transfer-encoding':
          if (encoding !== '' || value.toLowerCase() !== 'chunked')
            throw new AnswerError(`not a transfer encoding that is known here: '${printable(value)}'`)
          encoding = value
          break
        case 'connection':
          connection += `${value.toLowerCase()},`
          break
        case 'keep-alive':
          this.#keepAliveS = Number(/timeout=(\d{1,6})/i.exec(value)?.[1] ?? Infinity)
          break
      }
    }
    // 100 and 103 are for the connection, not for the answer.
    if (status < 200) return
    if (length !== '' && encoding !== '') throw new AnswerError('an answer with two lengths')
    this.#isKeptAlive = minor === '1' ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection)
    this.#frame(status, length, encoding)
    this.#handler.head(status, line.slice(shown.length), headers)
  }

  #frame(status: number, length: string, encoding: string): void {
    if (this.#isHeadRequest || status === 204 || status === 304) {
      this.#state = STATE.done
    } else if (encoding !== '') {
      this.#expectChunk()
    } else if (length !== '') {
      this.#remaining = Number(length)
      this.#state = this.#remaining === 0 ? STATE.done : STATE.length
    } else {
      this.#isKeptAlive = false
      this.#state = STATE.untilClose
    }
  }

  #expectChunk(): void {
    this.#state = STATE.chunkSize
    this.#remaining = 0
    this.#digits = 0
    this.#extraBytes = 0
  }

  #readCounted(bytes: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#remaining)
    this.#remaining -= stop - start
    if (this.#remaining === 0) this.#state = this.#state === STATE.length ? STATE.done : STATE.chunkEnd
    this.#handler.body(bytes, start, stop)
    return stop
  }

  #readChunkSize(bytes: Buffer, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!
      if (byte === LF) {
        if (this.#digits === 0) throw new AnswerError('a chunk without a size')
        this.#state = this.#remaining === 0 ? STATE.trailers : STATE.chunkData
        this.#extraBytes = 0
        return at + 1
      }
      if (this.#state === STATE.chunkExtension) {
        if (++this.#extraBytes > MAX_EXTENSION_BYTES) throw new AnswerError('a chunk extension without end')
        continue
      }
      const digit = hexDigit(byte)
      if (digit >= 0) {
        this.#remaining = this.#remaining * 16 + digit
        if (++this.#digits > MAX_SIZE_DIGITS) throw new AnswerError('a chunk size beyond all reason')
      } else if (byte === CR || byte === SEMICOLON || byte === SPACE || byte === TAB) {
        this.#state = STATE.chunkExtension
      } else {
        throw new AnswerError(`not a chunk size: byte 0x${byte.toString(16)}`)
      }
    }
    return end
  }

  #readChunkEnd(byte: number, at: number): number {
    if (byte === LF) this.#expectChunk()
    else if (byte === CR && this.#state === STATE.chunkEnd) this.#state = STATE.chunkEndLf
    else throw new AnswerError('a chunk longer than its size')
    return at + 1
  }

  /** They are not passed on. */
  #readTrailers(bytes: Buffer, start: number, end: number): number {
    const at = bytes.indexOf(LF, start)
    const stop = at < 0 || at >= end ? end : at
    this.#extraBytes += stop - start + 1
    if (this.#extraBytes > MAX_HEAD_BYTES)
      throw new AnswerError(`the trailers exceed ${MAX_HEAD_BYTES} bytes`)
    this.#text += bytes.toString('latin1', start, stop)
    if (stop === end) return end
    if (this.#text === '' || this.#text === '\r') this.#state = STATE.done
    this.#text = ''
    return stop + 1
  }
}

function lineEnd(text: string, from: number, stop: number): number {
  const at = text.indexOf('\r\n', from)
  return at < 0 || at > stop ? stop : at
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

function printable(text: string): string {
  return text.slice(0, 60).replaceAll(/[^\x20-\x7e]/g, '.')
}
