/** Cuts a stream of JSON documents, one a line or over many, into documents as they come. */
export class JsonDocuments {
  #text = ''
  #at = 0
  #depth = 0
  #isInString = false
  #isEscaped = false

  /** @returns the documents that `text` completes, in order */
  push(text: string): unknown[] {
    const found: unknown[] = []
    this.#text += text
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at]
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false
        else if (char === '\\') this.#isEscaped = true
        else if (char === '"') this.#isInString = false
      } else if (char === '"') this.#isInString = true
      else if (char === '{' || char === '[') this.#depth++
      else if ((char === '}' || char === ']') && --this.#depth === 0) {
        found.push(JSON.parse(this.#text.slice(0, this.#at + 1)))
        this.#text = this.#text.slice(this.#at + 1)
        this.#at = -1
      }
    }
    return found
  }
}
