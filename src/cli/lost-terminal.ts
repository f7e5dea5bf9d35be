import {closeSync, openSync} from 'node:fs'
import {isatty} from 'node:tty'

/**
 * Lets the program end as it means to where its terminal is gone: a closed window, a lost connection. What it still writes is
 * lost, as behind a pipe that nobody reads. Node gives the terminal its modes back last of all, and aborts with a core dump where
 * that fails; what is no terminal any more it leaves alone.
 *
 * @see nodejs/node:src/node.cc — ResetStdio
 */
export function outliveTerminal(): void {
  const terminals = [0, 1, 2].filter(isatty)
  if (terminals.includes(1)) process.stdout.prependListener('error', asClosedPipe)
  if (terminals.includes(2)) process.stderr.on('error', unlessClosedPipe)
  process.on('exit', () => {
    for (const descriptor of terminals) {
      if (isatty(descriptor)) continue
      closeSync(descriptor)
      // Takes the lowest number that is free, which is that of the terminal.
      openSync('/dev/null', 'r+')
    }
  })
}

/** A closed pipe is what everybody else who listens knows. */
function asClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EIO') error.code = 'EPIPE'
}

function unlessClosedPipe(error: NodeJS.ErrnoException): void {
  asClosedPipe(error)
  if (error.code !== 'EPIPE') throw error
}
