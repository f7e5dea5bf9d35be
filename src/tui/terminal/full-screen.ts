import {writeSync} from 'node:fs'

const ENTER = '\u001B[?1049h\u001B[?25l\u001B[2J'
const LEAVE = '\u001B[0m\u001B[?25h\u001B[?1049l'
const MOUSE_ON = '\u001B[?1000h\u001B[?1006h'
const MOUSE_OFF = '\u001B[?1006l\u001B[?1000l'

/**
 * Takes the whole terminal: its second screen, without a cursor, with the mouse if wanted.
 *
 * @param stopDrawing called before the terminal is given back: Ink draws a last frame even when the process crashes
 * @returns gives the terminal back as it was; also done when the process ends in any way that it notices
 */
export function takeScreen(
  output: {write(text: string): boolean; readonly fd?: number},
  hasMouse: boolean,
  stopDrawing: () => void,
): () => void {
  output.write(hasMouse ? ENTER + MOUSE_ON : ENTER)
  const leave = hasMouse ? MOUSE_OFF + LEAVE : LEAVE
  // A process that ends has no time for a stream's queue.
  const restoreAtOnce = (): void => {
    stopDrawing()
    try {
      if (output.fd !== undefined) writeSync(output.fd, leave)
    } catch {
      // The terminal is gone, and with it what there was to restore.
    }
  }
  process.once('exit', restoreAtOnce)
  return () => {
    process.off('exit', restoreAtOnce)
    stopDrawing()
    output.write(leave)
  }
}
