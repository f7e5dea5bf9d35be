import {BEGIN_UPDATE, END_UPDATE, ERASE_BELOW, ERASE_LINE} from './escapes.js'

/** The part of a terminal that frames are written to. */
export interface TerminalOutput {
  readonly columns: number
  readonly rows: number
  readonly writableNeedDrain?: boolean
  write(text: string): boolean
  on(event: 'resize' | 'drain', listener: () => void): unknown
  off(event: 'resize' | 'drain', listener: () => void): unknown
}

/**
 * Sends the terminal only the lines of a frame that changed, each to its place: no flicker, little to send, and nothing that
 * scrolls. A terminal that is slow gets the newest frame when it can take one.
 */
export class FrameWriter {
  readonly #terminal: TerminalOutput
  #shown: readonly string[] = []
  #shownSize = ''
  #waiting: readonly string[] | null = null
  #isClosed = false

  constructor(terminal: TerminalOutput) {
    this.#terminal = terminal
  }

  /** From now on frames are dropped. */
  close(): void {
    this.#isClosed = true
  }

  /** @param frame its lines, painted */
  show(frame: readonly string[]): void {
    if (this.#isClosed) return
    const {columns, rows, writableNeedDrain} = this.#terminal
    if (writableNeedDrain === true) {
      if (this.#waiting === null) this.#terminal.on('drain', this.#onDrain)
      this.#waiting = frame
      return
    }
    const size = `${columns}x${rows}`
    const before = size === this.#shownSize ? this.#shown : null
    const lines = frame.slice(0, rows)
    const text = difference(before, lines, rows)
    this.#shown = lines
    this.#shownSize = size
    if (text !== '') this.#terminal.write(`${BEGIN_UPDATE}${text}${END_UPDATE}`)
  }

  readonly #onDrain = (): void => {
    this.#terminal.off('drain', this.#onDrain)
    const frame = this.#waiting
    this.#waiting = null
    if (frame !== null) this.show(frame)
  }
}

/**
 * Pure: what turns the screen into `lines`.
 *
 * @param before null when nothing is known of it
 * @param rows of the terminal; a cursor sent below the last one would stand on it
 */
export function difference(before: readonly string[] | null, lines: readonly string[], rows: number): string {
  // Erased first, not last: after a full line the cursor still stands on its last column.
  const changed = lines.flatMap((text, row) =>
    before?.[row] === text ? [] : [`\u001B[${row + 1};1H${ERASE_LINE}${text}`],
  )
  const isShorter = before === null || before.length > lines.length
  return (
    changed.join('') + (isShorter && lines.length < rows ? `\u001B[${lines.length + 1};1H${ERASE_BELOW}` : '')
  )
}
