import {ResponseError} from './response-error.js'

/** Receives the data of one event; the bytes are only lent for the call. */
export type EventHandler = (bytes: Buffer, start: number, end: number) => void

const [LF, CR, SPACE] = [10, 13, 32]
const MAX_EVENT_BYTES = 8 * 1024 * 1024
const DATA_FIELD = Buffer.from('data')
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/**
 * Finds server-sent events by bytes, without making a string: an event that lies whole in one read is handed on in place.
 * Lines end with LF or CRLF (JSON cannot hold either); other fields than `data` and comments are skipped.
 *
 * @see whatwg/html:source — "Interpreting an event stream"
 */
export class EventScanner {
  readonly #onEvent: EventHandler
  /** An unfinished line, and the data of an unfinished event, of earlier reads. */
  readonly #line = new ByteStore()
  readonly #data = new ByteStore()
  #hasData = false
  #isFirstLine = true
  /** The data of the unfinished event when it still lies in the read at hand; −1 when it is in the store. */
  #dataStart = -1
  #dataEnd = -1

  constructor(onEvent: EventHandler) {
    this.#onEvent = onEvent
  }

  reset(): void {
    this.#line.clear()
    this.#data.clear()
    this.#hasData = false
    this.#isFirstLine = true
    this.#dataStart = -1
  }

  /** @throws ResponseError `invalid_response` when an event grows beyond 8 MiB */
  feed(bytes: Buffer, start: number, end: number): void {
    let at = start
    if (this.#line.length > 0) {
      const stop = lineEnd(bytes, at, end)
      this.#line.append(bytes, at, Math.min(stop, end))
      if (stop >= end) return
      const {buffer, length} = this.#line
      this.#takeLine(buffer, 0, length, bytes)
      this.#line.clear()
      at = stop + 1
    }
    while (at < end) {
      const stop = lineEnd(bytes, at, end)
      if (stop >= end) break
      this.#takeLine(bytes, at, stop, bytes)
      at = stop + 1
    }
    if (at < end) this.#line.append(bytes, at, end)
    if (this.#dataStart >= 0) this.#keepData(bytes)
  }

  /** The stream ended: an event whose data line is whole counts even without the empty line after it. */
  finish(): void {
    if (this.#hasData) this.#dispatch(this.#data.buffer)
  }

  #takeLine(line: Buffer, start: number, end: number, read: Buffer): void {
    let from = start
    const to = end > start && line[end - 1] === CR ? end - 1 : end
    if (this.#isFirstLine) {
      this.#isFirstLine = false
      if (to - from >= 3 && line.compare(BYTE_ORDER_MARK, 0, 3, from, from + 3) === 0) from += 3
    }
    if (from === to) {
      if (this.#hasData) this.#dispatch(read)
      return
    }
    const value = dataValue(line, from, to)
    if (value < 0) return
    if (!this.#hasData && line === read) {
      this.#dataStart = value
      this.#dataEnd = to
    } else {
      if (this.#dataStart >= 0) this.#keepData(read)
      if (this.#hasData) this.#data.appendByte(LF)
      this.#data.append(line, value, to)
    }
    this.#hasData = true
  }

  #keepData(read: Buffer): void {
    this.#data.append(read, this.#dataStart, this.#dataEnd)
    this.#dataStart = -1
  }

  #dispatch(read: Buffer): void {
    this.#hasData = false
    if (this.#dataStart >= 0) {
      const [start, end] = [this.#dataStart, this.#dataEnd]
      this.#dataStart = -1
      this.#onEvent(read, start, end)
    } else {
      const {buffer, length} = this.#data
      this.#data.clear()
      this.#onEvent(buffer, 0, length)
    }
  }
}

function lineEnd(bytes: Buffer, start: number, end: number): number {
  if (bytes[start] === LF) return start
  const at = bytes.indexOf(LF, start)
  return at < 0 ? end : at
}

/** Where the value of a `data` line begins, or −1 when it is another line. */
function dataValue(line: Buffer, start: number, end: number): number {
  const colon = start + 4
  if (end < colon || line[start] !== DATA_FIELD[0] || line[start + 1] !== DATA_FIELD[1]) return -1
  if (line[start + 2] !== DATA_FIELD[2] || line[start + 3] !== DATA_FIELD[3]) return -1
  if (end === colon) return end
  if (line[colon] !== 58) return -1
  return colon + 1 < end && line[colon + 1] === SPACE ? colon + 2 : colon + 1
}

/** Bytes that grow by doubling and keep their room for the next event. */
class ByteStore {
  buffer = Buffer.allocUnsafe(1024)
  length = 0

  clear(): void {
    this.length = 0
  }

  append(bytes: Buffer, start: number, end: number): void {
    this.#makeRoom(end - start)
    bytes.copy(this.buffer, this.length, start, end)
    this.length += end - start
  }

  appendByte(byte: number): void {
    this.#makeRoom(1)
    this.buffer[this.length++] = byte
  }

  #makeRoom(bytes: number): void {
    const needed = this.length + bytes
    if (needed <= this.buffer.length) return
    if (needed > MAX_EVENT_BYTES) {
      throw new ResponseError('invalid_response', `an event exceeds ${MAX_EVENT_BYTES} bytes`)
    }
    const larger = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(larger, 0, 0, this.length)
    this.buffer = larger
  }
}
