import type {CsvRow} from './csv-scanner.js'

const MAX_NAMES = 256

/** Turns a field with few different values into a byte, comparing bytes so that a million rows make no strings. */
export class NameCodes {
  readonly names: string[]
  readonly #bytes: Buffer[]

  /** @param names known from the start, from code 0 on */
  constructor(names: readonly string[]) {
    this.names = [...names]
    this.#bytes = names.map(name => Buffer.from(name))
  }

  /** The code of field `index`; the 255th different value and all after it share one code. */
  code(row: CsvRow, index: number): number {
    const start = row.starts[index]!
    const end = row.ends[index]!
    for (let code = 0; code < this.#bytes.length; code++) {
      if (isSame(this.#bytes[code]!, row.buffer, start, end)) return code
    }
    return this.add(row.buffer.toString('utf8', start, end))
  }

  add(name: string): number {
    const known = this.names.indexOf(name)
    if (known >= 0) return known
    if (this.names.length === MAX_NAMES) return MAX_NAMES - 1
    this.#bytes.push(Buffer.from(name))
    return this.names.push(name) - 1
  }
}

function isSame(name: Buffer, buffer: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let at = 0; at < name.length; at++) if (name[at] !== buffer[start + at]) return false
  return true
}
