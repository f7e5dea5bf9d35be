import {formatDurationMs} from '../lib/foundation/index.js'
import {createProgressLine} from './progress-line.js'

/** What is over sooner needs no word: people wait a second, logs five. */
const QUIET_MS = {terminal: 1000, plain: 5000} as const
const EVERY_MS = 250

/**
 * Waits for work that has no steps to count, and tells meanwhile how long it has taken and how long it may still take.
 *
 * @param what such as `Waiting for the lock`
 * @param limitMs when the work gives up by itself
 */
export async function whileWaiting<T>(
  what: string,
  limitMs: number,
  work: Promise<T>,
  stream: NodeJS.WriteStream = process.stderr,
): Promise<T> {
  const line = createProgressLine(stream)
  const startMs = performance.now()
  const quietMs = stream.isTTY ? QUIET_MS.terminal : QUIET_MS.plain
  const timer = setInterval(() => {
    const tookMs = performance.now() - startMs
    if (tookMs >= quietMs) line.show(waitingText(what, tookMs, limitMs))
  }, EVERY_MS)
  try {
    return await work
  } finally {
    clearInterval(timer)
    line.end()
  }
}

/** Pure: `Waiting for the lock: 3.2 s, at most 6.8 s left`. */
export function waitingText(what: string, tookMs: number, limitMs: number): string {
  const leftMs = Math.max(0, limitMs - tookMs)
  return `${what}: ${formatDurationMs(tookMs)}, at most ${formatDurationMs(leftMs)} left`
}
