import {ResponseError} from './response-error.js'

export interface ResponseHead {
  readonly status: number
  /** Lower case, without parameters; empty when absent. */
  readonly contentType: string
  /** What the server asks to wait, as sent; empty when absent. */
  readonly retryAfter: string
}

/** Where the parts of one response go. The bytes are only lent for the call. */
export interface ResponseHandler {
  head(head: ResponseHead): void
  body(bytes: Buffer, start: number, end: number): void
  end(): void
}

const STATE = {
  statusLine: 0,
  headers: 1,
  length: 2,
  chunkSize: 3,
  chunkExtension: 4,
  chunkData: 5,
  chunkEnd: 6,
  trailers: 7,
  untilClose: 8,
  done: 9,
} as const
type State = (typeof STATE)[keyof typeof STATE]

const MAX_HEAD_BYTES = 64 * 1024
const MAX_CHUNK_BYTES = 2 ** 40
const [LF, CR, SEMICOLON, SPACE, TAB] = [10, 13, 59, 32, 9]

/**
 * Reads HTTP/1.1 responses from bytes as they come, however they are cut: content-length, chunked (extensions, trailers)
 * and close-delimited bodies, 1xx responses before the final one. Copies nothing but heads that span two reads.
 *
 * Errors are `ResponseError`s: `invalid_response` when it is no HTTP, `truncated` when it ends too soon.
 */
export class ResponseReader {
  readonly #handler: ResponseHandler
  #state: State = STATE.statusLine
  /** The unfinished line of a head. */
  #line = ''
  #headBytes = 0
  #remaining = 0
  #digits = 0
  #status = 0
  #headers = new Map<string, string>()
  #isKeptAlive = true

  constructor(handler: ResponseHandler) {
    this.#handler = handler
  }

  /** Whether the server lets the connection serve another request; known once the response is done. */
  get isKeptAlive(): boolean {
    return this.#isKeptAlive
  }

  get isDone(): boolean {
    return this.#state === STATE.done
  }

  /** Whether the bytes to come are chunks, the last of which has not come yet. */
  get isInChunks(): boolean {
    return this.#state >= STATE.chunkSize && this.#state <= STATE.chunkEnd
  }

  /** Whether any byte of the response has come. */
  get hasBegun(): boolean {
    return this.#headBytes > 0 || this.#state !== STATE.statusLine
  }

  /** Makes ready for the next response on the same connection. */
  reset(): void {
    this.#state = STATE.statusLine
    this.#line = ''
    this.#headBytes = 0
    this.#headers.clear()
    this.#isKeptAlive = true
  }

  /**
   * Takes the bytes of one read.
   *
   * @returns where the response ended; less than `end` when the server sent more than it was asked for
   * @throws ResponseError `invalid_response`
   */
  feed(bytes: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && this.#state !== STATE.done) {
      switch (this.#state) {
        case STATE.statusLine:
        case STATE.headers:
        case STATE.trailers:
          at = this.#readLine(bytes, at, end)
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
          at = this.#readChunkEnd(bytes, at, end)
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
   * The peer closed its side.
   *
   * @throws ResponseError `truncated` unless the response was complete or is delimited by the close
   */
  finish(): void {
    if (this.#state === STATE.done) return
    if (this.#state !== STATE.untilClose) {
      const where = this.#state <= STATE.headers ? 'in its head' : 'in its body'
      throw new ResponseError('truncated', `the response ended ${where}`)
    }
    this.#end()
  }

  #end(): void {
    this.#state = STATE.done
    this.#handler.end()
  }

  #readLine(bytes: Buffer, start: number, end: number): number {
    const at = bytes.indexOf(LF, start)
    const stop = at < 0 || at >= end ? end : at
    this.#headBytes += stop - start + 1
    if (this.#headBytes > MAX_HEAD_BYTES) {
      throw new ResponseError('invalid_response', `the response head exceeds ${MAX_HEAD_BYTES} bytes`)
    }
    this.#line += bytes.toString('latin1', start, stop)
    if (stop === end) return end
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line
    this.#line = ''
    this.#takeLine(line)
    return stop + 1
  }

  #takeLine(line: string): void {
    if (this.#state === STATE.trailers) {
      if (line === '') this.#end()
    } else if (this.#state === STATE.statusLine) {
      const match = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/.exec(line)
      if (!match) {
        throw new ResponseError('invalid_response', `not an HTTP/1.1 response: '${printable(line)}'`)
      }
      this.#isKeptAlive = match[1] === '1'
      this.#status = Number(match[2])
      this.#state = STATE.headers
    } else if (line === '') {
      this.#takeHead()
    } else {
      const colon = line.indexOf(':')
      if (colon <= 0 || /[\s]/.test(line.slice(0, colon))) {
        throw new ResponseError('invalid_response', `not a header line: '${printable(line)}'`)
      }
      const name = line.slice(0, colon).toLowerCase()
      const value = line.slice(colon + 1).trim()
      const before = this.#headers.get(name)
      this.#headers.set(name, before === undefined ? value : `${before}, ${value}`)
    }
  }

  #takeHead(): void {
    const status = this.#status
    if (status < 200) {
      if (status === 101) throw new ResponseError('invalid_response', 'the server switched protocols')
      this.reset()
      return
    }
    const header = (name: string): string => this.#headers.get(name) ?? ''
    const connection = header('connection').toLowerCase()
    if (/\bclose\b/.test(connection)) this.#isKeptAlive = false
    else if (/\bkeep-alive\b/.test(connection)) this.#isKeptAlive = true
    const encoding = header('content-encoding').toLowerCase()
    if (encoding !== '' && encoding !== 'identity') {
      throw new ResponseError('invalid_response', `the body is ${encoding}-encoded, which was not asked for`)
    }
    this.#handler.head({
      status,
      contentType: header('content-type').split(';')[0]!.trim().toLowerCase(),
      retryAfter: header('retry-after'),
    })
    this.#chooseFraming(header('transfer-encoding').toLowerCase(), header('content-length'))
  }

  /** @see RFC 9112 §6.3 — message body length */
  #chooseFraming(transferEncoding: string, contentLength: string): void {
    if (this.#status === 204 || this.#status === 304) {
      this.#end()
    } else if (transferEncoding !== '') {
      if (transferEncoding !== 'chunked') {
        throw new ResponseError(
          'invalid_response',
          `unknown transfer encoding '${printable(transferEncoding)}'`,
        )
      }
      this.#expectChunk()
    } else if (contentLength !== '') {
      const lengths = new Set(contentLength.split(',').map(text => text.trim()))
      const [length = ''] = lengths
      if (lengths.size !== 1 || !/^\d{1,15}$/.test(length)) {
        throw new ResponseError('invalid_response', `not a content length: '${printable(contentLength)}'`)
      }
      this.#remaining = Number(length)
      if (this.#remaining === 0) this.#end()
      else this.#state = STATE.length
    } else {
      this.#isKeptAlive = false
      this.#state = STATE.untilClose
    }
  }

  #expectChunk(): void {
    this.#state = STATE.chunkSize
    this.#remaining = 0
    this.#digits = 0
  }

  #readCounted(bytes: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#remaining)
    this.#remaining -= stop - start
    this.#handler.body(bytes, start, stop)
    if (this.#remaining === 0) {
      if (this.#state === STATE.length) this.#end()
      else this.#state = STATE.chunkEnd
    }
    return stop
  }

  #readChunkSize(bytes: Buffer, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!
      if (byte === LF) {
        if (this.#digits === 0) throw new ResponseError('invalid_response', 'a chunk without a size')
        this.#headBytes = 0
        this.#state = this.#remaining === 0 ? STATE.trailers : STATE.chunkData
        return at + 1
      }
      if (this.#state === STATE.chunkExtension || byte === CR) continue
      const digit = hexDigit(byte)
      if (digit >= 0) {
        this.#remaining = this.#remaining * 16 + digit
        this.#digits++
      } else if (byte === SEMICOLON || byte === SPACE || byte === TAB) {
        this.#state = STATE.chunkExtension
      } else {
        throw new ResponseError('invalid_response', `not a chunk size: byte 0x${byte.toString(16)}`)
      }
      if (this.#remaining > MAX_CHUNK_BYTES || this.#digits > 16) {
        throw new ResponseError('invalid_response', 'a chunk size beyond all reason')
      }
    }
    return end
  }

  #readChunkEnd(bytes: Buffer, start: number, end: number): number {
    let at = start
    if (bytes[at] === CR) at++
    if (at === end) return end
    if (bytes[at] !== LF) throw new ResponseError('invalid_response', 'a chunk longer than its size')
    this.#expectChunk()
    return at + 1
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

function printable(text: string): string {
  return text.slice(0, 60).replaceAll(/[^\x20-\x7e]/g, '.')
}
