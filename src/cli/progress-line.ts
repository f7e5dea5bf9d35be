/** Progress on stderr: one line that is redrawn on a terminal, now and then a line of its own elsewhere. */
export interface ProgressLine {
  show(text: string): void
  /** A line that stays, above the progress. */
  note(text: string): void
  /** Leaves the terminal as other output expects it. */
  end(): void
}

const PLAIN_EVERY_MS = 5000
const CLEAR = '\r\u001B[K'

export function createProgressLine(stream: NodeJS.WriteStream): ProgressLine {
  let isShown = false
  let lastPlainMs = -Infinity
  const clear = (): void => {
    if (isShown) stream.write(CLEAR)
    isShown = false
  }
  return {
    show(text) {
      if (stream.isTTY) {
        stream.write(`${CLEAR}${text.slice(0, Math.max(20, stream.columns - 1))}`)
        isShown = true
      } else if (performance.now() - lastPlainMs >= PLAIN_EVERY_MS) {
        lastPlainMs = performance.now()
        stream.write(`${text}\n`)
      }
    },
    note(text) {
      clear()
      stream.write(`${text}\n`)
    },
    end: clear,
  }
}

/** What is over sooner needs no word: people wait a second, logs five. */
export function quietMsOn(stream: NodeJS.WriteStream): number {
  return stream.isTTY ? 1000 : PLAIN_EVERY_MS
}
