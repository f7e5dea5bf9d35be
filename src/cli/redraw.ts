/** Text that is drawn over itself. */
export interface Redraw {
  show(text: string): void
  /** Leaves the cursor below what was drawn, visible. */
  end(): void
}

const HIDE_CURSOR = '\u001B[?25l'
const SHOW_CURSOR = '\u001B[?25h'
const BEGIN_UPDATE = '\u001B[?2026h'
const END_UPDATE = '\u001B[?2026l'
const ERASE_REST_OF_LINE = '\u001B[K'
const ERASE_BELOW = '\u001B[J'
const HOME = '\u001B[H'

/**
 * Draws from the top of the terminal, line over line, so that nothing flickers. Lines that do not fit are counted, not
 * scrolled away; a new size is drawn at once.
 */
export function createRedraw(terminal: NodeJS.WriteStream): Redraw {
  let shown = ''
  let isStarted = false
  const restore = (): void => {
    if (isStarted) terminal.write(SHOW_CURSOR)
    isStarted = false
  }
  const draw = (): void => {
    const lines = fitLines(shown.split('\n'), terminal.rows)
    const body = lines.map(line => `${line}${ERASE_REST_OF_LINE}\n`).join('')
    terminal.write(`${BEGIN_UPDATE}${HOME}${body}${ERASE_BELOW}${END_UPDATE}`)
  }
  return {
    show(text) {
      if (!isStarted) {
        terminal.write(`${HIDE_CURSOR}${HOME}${ERASE_BELOW}`)
        terminal.on('resize', draw)
        process.once('exit', restore)
        isStarted = true
      }
      shown = text
      draw()
    },
    end() {
      terminal.off('resize', draw)
      process.off('exit', restore)
      restore()
    },
  }
}

/** Pure: as many lines as the terminal has, one left for the cursor; the last one counts those left out. */
export function fitLines(lines: readonly string[], rows: number): readonly string[] {
  const room = Math.max(1, rows - 1)
  if (lines.length <= room) return lines
  const kept = lines.slice(0, room - 1)
  return [...kept, `+${lines.length - kept.length} more`]
}
