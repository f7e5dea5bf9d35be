import {closeSync, fstatSync, openSync} from 'node:fs'
import type {Readable} from 'node:stream'

/**
 * Waits until a server should end: Ctrl-C, SIGTERM, a closed terminal, or the death of the program that started it.
 *
 * @param stdin where a pipe that closes means that the starter is gone; null looks at signals alone
 * @param reload what SIGHUP asks for while the terminal is there, as it does of other servers; null lets SIGHUP end the wait
 */
export async function untilEnd(
  signal: AbortSignal,
  stdin: Readable | null,
  reload: (() => void) | null = null,
): Promise<void> {
  if (signal.aborted) return
  const hangUp = new AbortController()
  const hadTerminal = hasTerminal()
  const hungUp = (): void => {
    if (reload === null || (hadTerminal && !hasTerminal())) hangUp.abort()
    else reload()
  }
  process.on('SIGHUP', hungUp)
  process.once('disconnect', () => hangUp.abort())
  if (stdin && isPipe(0)) {
    for (const event of ['end', 'close', 'error']) stdin.once(event, () => hangUp.abort())
    stdin.resume()
  }
  await new Promise(resolve => {
    AbortSignal.any([signal, hangUp.signal]).addEventListener('abort', resolve, {once: true})
  })
  process.off('SIGHUP', hungUp)
  stdin?.pause()
}

/** Whether the terminal that started the program is still there. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}

/** A file, a terminal or /dev/null as stdin says nothing about who started us. */
function isPipe(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor)
    return stat.isFIFO() || stat.isSocket()
  } catch {
    return false
  }
}
