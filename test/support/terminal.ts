import {EventEmitter} from 'node:events'
import type {TerminalOutput} from '../../src/tui/terminal/frame-writer.js'

/**
 * A terminal in memory: keeps what a real one would show of absolute moves, erasures and text. `typed` goes to `keyboard` as a
 * terminal in raw mode would send it.
 */
export class FakeTerminal extends EventEmitter implements TerminalOutput {
  columns: number
  rows: number
  writableNeedDrain = false
  written = ''
  readonly keyboard = new FakeKeyboard()
  #lines: string[]
  #row = 0

  constructor(columns: number, rows: number) {
    super()
    this.columns = columns
    this.rows = rows
    this.#lines = Array<string>(rows).fill('')
  }

  write(text: string): boolean {
    this.written += text

    for (const part of text.split(/(\u001B\[[?\d;]*[A-Za-z])/)) if (part !== '') this.#take(part)
    return true
  }

  /** Lines without colours and trailing blanks. */
  get screen(): string {
    return this.#lines.map(line => line.trimEnd()).join('\n')
  }

  resize(columns: number, rows: number): void {
    this.columns = columns
    this.rows = rows
    this.#lines = Array<string>(rows).fill('stale')
    this.#row = 0
    this.emit('resize')
  }

  #take(part: string): void {
    const [, parameters = '', command] = /^\u001B\[([?\d;]*)([A-Za-z])$/.exec(part) ?? []
    if (command === 'H') this.#row = Math.min(Number(parameters.split(';')[0]), this.rows) - 1
    else if (command === 'K') this.#lines[this.#row] = ''
    else if (command === 'J') this.#lines.fill('', parameters === '2' ? 0 : this.#row)
    else if (command === undefined) this.#lines[this.#row] = `${this.#lines[this.#row] ?? ''}${part}`
  }
}

/** What Ink needs of stdin. */
class FakeKeyboard extends EventEmitter {
  readonly isTTY = true
  isRaw = false
  #waiting: string | null = null

  type(text: string): void {
    this.#waiting = text
    this.emit('readable')
  }

  read(): string | null {
    const text = this.#waiting
    this.#waiting = null
    return text
  }

  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw
    return this
  }

  setEncoding(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}
