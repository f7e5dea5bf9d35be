import {open} from 'node:fs/promises'
import {ConfigurationError} from '../foundation/index.js'

const QUOTE = 0x22
const COMMA = 0x2c
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const READ_BYTES = 1 << 20
const MAX_ROW_BYTES = 16 << 20

/** One row where it lies in the read buffer; valid only during the call that receives it. */
export interface CsvRow {
  readonly buffer: Buffer
  /** Fields in this row. */
  readonly length: number
  /** Byte offsets of field i, its quotes left out: `starts[i]` … `ends[i]`. */
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  /** False for a last row without line break. */
  readonly isTerminated: boolean
}

/**
 * Streams an RFC 4180 file through one buffer and hands out every row, the header included, blank lines left out. Rows are
 * byte ranges, so that a million of them cost no strings; `\n` and `\r\n` both end a row.
 *
 * @param onRead gets the bytes of each read
 * @throws ConfigurationError `RUN_UNREADABLE` for a row of more than 16 MiB
 */
export async function scanCsv(
  path: string,
  onRow: (row: CsvRow) => void,
  onRead?: (bytes: number) => void,
): Promise<void> {
  const file = await open(path)
  try {
    const scanner = new RowScanner(onRow)
    let buffer = Buffer.allocUnsafe(2 * READ_BYTES)
    let filled = 0
    for (;;) {
      const {bytesRead} = await file.read(buffer, filled, buffer.length - filled)
      filled += bytesRead
      onRead?.(bytesRead)
      const isLast = bytesRead === 0
      const used = scanner.scan(buffer, filled, isLast)
      if (isLast) return
      buffer.copyWithin(0, used, filled)
      filled -= used
      if (filled < buffer.length) continue
      if (filled >= MAX_ROW_BYTES) {
        throw new ConfigurationError(
          'RUN_UNREADABLE',
          `${path} has a row of more than ${MAX_ROW_BYTES} bytes`,
        )
      }
      const larger = Buffer.allocUnsafe(2 * buffer.length)
      buffer.copy(larger)
      buffer = larger
    }
  } finally {
    await file.close()
  }
}

class RowScanner {
  readonly #onRow: (row: CsvRow) => void
  readonly #starts: number[] = []
  readonly #ends: number[] = []

  constructor(onRow: (row: CsvRow) => void) {
    this.#onRow = onRow
  }

  /** Hands out the whole rows of `buffer[0 … filled)`. @returns how many bytes they took */
  scan(buffer: Buffer, filled: number, isLast: boolean): number {
    let rowStart = 0
    while (rowStart < filled) {
      const next = this.#scanRow(buffer, rowStart, filled, isLast)
      if (next === -1) return rowStart
      rowStart = next
    }
    return rowStart
  }

  #scanRow(buffer: Buffer, rowStart: number, filled: number, isLast: boolean): number {
    const [starts, ends] = [this.#starts, this.#ends]
    let length = 0
    let at = rowStart
    for (;;) {
      let start = at
      let end = -1
      if (at < filled && buffer[at] === QUOTE) {
        start = at + 1
        end = closingQuote(buffer, start, filled)
        at = end === -1 ? filled : end + 1
      }
      while (at < filled && buffer[at] !== COMMA && buffer[at] !== LINE_FEED) at++
      if (at === filled && !isLast) return -1
      if (end === -1)
        end =
          at > start && at < filled && buffer[at] === LINE_FEED && buffer[at - 1] === CARRIAGE_RETURN
            ? at - 1
            : at
      starts[length] = start
      ends[length] = end
      length++
      const isRowEnd = at >= filled || buffer[at] === LINE_FEED
      at++
      if (!isRowEnd) continue
      const isBlank = length === 1 && starts[0] === ends[0]
      if (!isBlank) this.#onRow({buffer, length, starts, ends, isTerminated: at <= filled})
      return Math.min(at, filled)
    }
  }
}

/** @returns the offset of the quote that ends the field; −1 when it is not in the buffer yet */
function closingQuote(buffer: Buffer, start: number, filled: number): number {
  for (let at = start; at < filled; at++) {
    if (buffer[at] !== QUOTE) continue
    if (buffer[at + 1] !== QUOTE || at + 1 >= filled) return at
    at++
  }
  return -1
}

/** The text of field `index`, doubled quotes undone. */
export function fieldText(row: CsvRow, index: number): string {
  const text = row.buffer.toString('utf8', row.starts[index], row.ends[index])
  return row.buffer[row.starts[index]! - 1] === QUOTE ? text.replaceAll('""', '"') : text
}

/**
 * A decimal field in thousandths: exact for up to three decimals and 2^53 (epoch milliseconds become exact microseconds).
 *
 * @returns NaN when empty or not a number
 */
export function fieldThousandths(row: CsvRow, index: number): number {
  const {buffer} = row
  const start = row.starts[index]!
  const end = row.ends[index]!
  if (start === end) return NaN
  let at = start
  const isNegative = buffer[at] === 0x2d
  if (isNegative) at++
  let whole = 0
  let decimals = -1
  for (; at < end; at++) {
    const digit = buffer[at]! - 0x30
    if (digit >= 0 && digit <= 9) {
      whole = whole * 10 + digit
      if (decimals >= 0) decimals++
    } else if (buffer[at] === 0x2e && decimals === -1) {
      decimals = 0
    } else {
      return slowThousandths(buffer.toString('latin1', start, end))
    }
  }
  if (decimals > 3 || whole > Number.MAX_SAFE_INTEGER)
    return slowThousandths(buffer.toString('latin1', start, end))
  const scaled = decimals <= 0 ? whole * 1000 : decimals === 3 ? whole : whole * (decimals === 1 ? 100 : 10)
  return isNegative ? -scaled : scaled
}

function slowThousandths(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text)
  return Number.isFinite(value) ? value * 1000 : NaN
}
