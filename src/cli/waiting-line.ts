import {formatDurationMs} from '../lib/foundation/index.js'
import {createProgressLine, quietMsOn} from './progress-line.js'

const EVERY_MS = 250

/** Work that may say a line meanwhile, which stays above the progress. */
type TellingWork<T> = (note: (line: string) => void) => Promise<T>

/**
 * Waits for work that has no steps to count, and tells meanwhile how long it has taken and how long it may still take.
 *
 * @param what such as `Waiting for the lock`
 * @param limitMs when the work gives up by itself
 */
export async function whileWaiting<T>(
  what: string,
  limitMs: number,
  work: Promise<T> | TellingWork<T>,
  stream: NodeJS.WriteStream = process.stderr,
): Promise<T> {
  return whileTelling(
    tookMs => waitingText(what, tookMs, limitMs),
    async note => (typeof work === 'function' ? work(note) : work),
    stream,
  )
}

/**
 * Waits for work of known steps, and tells meanwhile how many are done, how fast, and how long the others will take.
 *
 * @param what such as `questions answered`
 * @param work calls `done` after each step
 */
export async function whileCounting<T>(
  what: string,
  total: number,
  work: (done: () => void) => Promise<T>,
  stream: NodeJS.WriteStream = process.stderr,
): Promise<T> {
  let count = 0
  return whileTelling(
    tookMs => countingText(what, count, total, tookMs),
    async () => work(() => count++),
    stream,
  )
}

/** Pure: `Waiting for the lock: 3.2 s, at most 6.8 s left`. */
export function waitingText(what: string, tookMs: number, limitMs: number): string {
  const leftMs = Math.max(0, limitMs - tookMs)
  return `${what}: ${formatDurationMs(tookMs)}, at most ${formatDurationMs(leftMs)} left`
}

/** Pure: `3 of 14 questions answered, 1.5/s, 7.3 s left`. */
export function countingText(what: string, count: number, total: number, tookMs: number): string {
  const perSecond = count / (tookMs / 1000)
  const rate = `${count} of ${total} ${what}`
  return count === 0
    ? `${rate}, ${formatDurationMs(tookMs)}`
    : `${rate}, ${perSecond.toPrecision(2)}/s, ${formatDurationMs(((total - count) / perSecond) * 1000)} left`
}

async function whileTelling<T>(
  textAt: (tookMs: number) => string,
  work: TellingWork<T>,
  stream: NodeJS.WriteStream,
): Promise<T> {
  const line = createProgressLine(stream)
  const startMs = performance.now()
  const quietMs = quietMsOn(stream)
  const timer = setInterval(() => {
    const tookMs = performance.now() - startMs
    if (tookMs >= quietMs) line.show(textAt(tookMs))
  }, EVERY_MS)
  try {
    return await work(text => line.note(text))
  } finally {
    clearInterval(timer)
    line.end()
  }
}
