import {Writable} from 'node:stream'
import {BEGIN_UPDATE, END_UPDATE, ERASE_BELOW, ERASE_LINE} from './escapes.js'
import type {TerminalOutput} from './frame-writer.js'

/**
 * Takes whole frames, one a write, and keeps the newest below what the terminal shows already: lines that stay go above it, and
 * at the end nothing of it is left. A frame never fills the screen, so the place where it began is known.
 */
export class InlineStream extends Writable {
  /** As a terminal's stream has it. */
  readonly isTTY = true
  readonly #terminal: TerminalOutput
  #shown: readonly string[] = []
  #columns = 0
  #isClosed = false

  constructor(terminal: TerminalOutput) {
    super({decodeStrings: false})
    this.#terminal = terminal
  }

  get columns(): number {
    return this.#terminal.columns
  }

  get rows(): number {
    return this.#terminal.rows
  }

  /** A line that stays, above the frame. */
  note(text: string): void {
    const frame = this.#shown
    this.#send(this.#erased() + `${text}\n`)
    this.#shown = []
    this.#show(frame)
  }

  /** Takes the frame away; further ones are dropped. */
  close(): void {
    if (this.#isClosed) return
    this.#send(this.#erased())
    this.#shown = []
    this.#isClosed = true
  }

  override _write(frame: string, _encoding: BufferEncoding, done: () => void): void {
    // A terminal that is slow misses frames.
    if (frame !== '' && !this.#isClosed && this.#terminal.writableNeedDrain !== true)
      this.#show(frame.split('\n').slice(0, Math.max(1, this.rows - 1)))
    done()
  }

  #show(lines: readonly string[]): void {
    if (lines.length === 0) return
    // After a change of width nobody knows how the terminal broke the lines.
    const before = this.#columns === this.columns ? this.#shown : []
    if (before.length === 0) this.#send(this.#erased())
    this.#send(inlineDifference(before, lines))
    this.#shown = lines
    this.#columns = this.columns
  }

  #erased(): string {
    return this.#shown.length === 0 ? '' : `\u001B[${this.#shown.length}A${ERASE_BELOW}`
  }

  #send(text: string): void {
    if (text !== '') this.#terminal.write(`${BEGIN_UPDATE}${text}${END_UPDATE}`)
  }
}

/**
 * Pure: what turns the block of lines above the cursor into another; the cursor stands at the start of the line below it, before
 * and after.
 */
export function inlineDifference(before: readonly string[], lines: readonly string[]): string {
  const up = before.length === 0 ? '' : `\u001B[${before.length}A`
  const written = lines.map((text, row) => (before[row] === text ? '\n' : `${ERASE_LINE}${text}\n`)).join('')
  const isSame = before.length === lines.length && lines.every((text, row) => before[row] === text)
  return isSame ? '' : `${up}${written}${before.length > lines.length ? ERASE_BELOW : ''}`
}
