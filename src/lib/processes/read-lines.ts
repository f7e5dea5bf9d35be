import type {Readable} from 'node:stream'

/** A program that never ends a line is heard in pieces of this length. */
const LONGEST_LINE = 16_384

/**
 * Cuts what a program says into lines as they come. A carriage return ends a line too, as that of a progress bar; empty lines
 * are left out, a last line without an end is told at the end.
 */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = (rest + text).split(/\r\n|\r|\n/)
    rest = lines.pop()!
    for (const line of lines) if (line !== '') onLine(line)
    for (; rest.length > LONGEST_LINE; rest = rest.slice(LONGEST_LINE)) onLine(rest.slice(0, LONGEST_LINE))
  })
  stream.on('end', () => {
    if (rest !== '') onLine(rest)
  })
}
