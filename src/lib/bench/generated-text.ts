import type {GeneratedPart} from './answer-chunk.js'

const [LF] = [10]

/**
 * Keeps what was generated for one answer as the JSON strings in which it came, so that a chunk costs no more than the copying
 * of its text; what they say is read once it is over, and elsewhere. Parts stay apart, however their chunks alternate.
 */
export class GeneratedText {
  readonly #parts = new Map<string, EscapedText>()
  #learnt: EscapedText | null = null

  clear(): void {
    this.#parts.clear()
    this.#learnt = null
  }

  /** Chunks like one of this part are appended without being parsed. */
  learn(part: GeneratedPart): void {
    this.#learnt = this.#part(part)
  }

  /** @param bytes the inside of a JSON string, in a chunk like the one that was learnt */
  append(bytes: Buffer, start: number, end: number): void {
    this.#learnt?.append(bytes, start, end)
  }

  add(parts: readonly GeneratedPart[]): void {
    for (const part of parts) {
      const escaped = Buffer.from(JSON.stringify(part.text))
      this.#part(part).append(escaped, 1, escaped.length - 1)
    }
  }

  /** All parts, for `partsOf`; a copy. */
  take(): Uint8Array {
    const lines = [...this.#parts.values()].map(part => part.line())
    return Buffer.concat(lines)
  }

  #part({of}: GeneratedPart): EscapedText {
    let part = this.#parts.get(of)
    if (part === undefined) this.#parts.set(of, (part = new EscapedText()))
    return part
  }
}

/** What the parts of an answer say, from what `take` gave. */
export function partsOf(taken: Uint8Array): string[] {
  // No JSON string holds a line break of its own.
  const lines = Buffer.from(taken.buffer, taken.byteOffset, taken.length).toString('utf8').split('\n')
  return lines.flatMap(line => (line === '' ? [] : [JSON.parse(`"${line}"`) as string]))
}

class EscapedText {
  #bytes = Buffer.allocUnsafe(512)
  #length = 0

  append(bytes: Buffer, start: number, end: number): void {
    const length = this.#length + end - start
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    bytes.copy(this.#bytes, this.#length, start, end)
    this.#length = length
  }

  line(): Uint8Array {
    const line = Buffer.allocUnsafe(this.#length + 1)
    this.#bytes.copy(line, 0, 0, this.#length)
    line[this.#length] = LF!
    return line
  }
}
