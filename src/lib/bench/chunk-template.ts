const [SPACE, QUOTE, BACKSLASH] = [32, 34, 92]
const KEYS = ['"content":', '"reasoning_content":', '"reasoning":', '"text":'].map(key => Buffer.from(key))

/**
 * What the chunks of one stream have in common around their text. A chunk that matches is text, has neither usage nor
 * finish reason nor error, and need not be parsed: its bytes up to the text's opening quote and from its closing quote on
 * equal those of a parsed chunk that was just that, and between them lies one non-empty JSON string.
 */
export class ChunkTemplate {
  /** The learnt chunk without its text. */
  #around = Buffer.alloc(0)
  #before = 0
  #after = 0

  reset(): void {
    this.#before = 0
  }

  /** Bytes before the text of a chunk that matches. */
  get before(): number {
    return this.#before
  }

  /** Bytes behind it. */
  get after(): number {
    return this.#after
  }

  /** Learns from a chunk known to carry text and nothing else; learns nothing when its text cannot be told for sure. */
  learn(bytes: Buffer, start: number, end: number): void {
    this.#before = 0
    const payload = bytes.subarray(start, end)
    const found = KEYS.flatMap(key => {
      const at = payload.indexOf(key)
      if (at < 0) return []
      const value = at + key.length
      const isOnly = payload.indexOf(key, value) < 0
      return [{at: payload[value] === SPACE ? value + 1 : value, isOnly}]
    })
    const strings = found.filter(({at}) => payload[at] === QUOTE && payload[at + 1] !== QUOTE)
    const [only] = strings
    if (strings.length !== 1 || !only?.isOnly) return
    const open = only.at
    const close = closingQuote(payload, open + 1, payload.length)
    if (close < 0) return
    this.#around = Buffer.concat([payload.subarray(0, open + 1), payload.subarray(close)])
    this.#before = open + 1
    this.#after = payload.length - close
  }

  matches(bytes: Buffer, start: number, end: number): boolean {
    const [before, after] = [this.#before, this.#after]
    const [textStart, textEnd] = [start + before, end - after]
    if (before === 0 || textEnd <= textStart) return false
    // The end first: a chunk with a finish reason or usage differs there.
    return (
      bytes.compare(this.#around, before, before + after, textEnd, end) === 0 &&
      bytes.compare(this.#around, 0, before, start, textStart) === 0 &&
      closingQuote(bytes, textStart, textEnd) < 0
    )
  }
}

/** The first quote in [start, end) that no backslash escapes, or −1. */
function closingQuote(bytes: Buffer, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    if (byte === BACKSLASH) at++
    else if (byte === QUOTE) return at
  }
  return -1
}
