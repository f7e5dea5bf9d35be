/** One producer at a fixed rate, many readers; a reader that is not done skips looks instead of queueing them. */
export interface Ticker<T> {
  latest(): T | null
  subscribe(reader: (look: T, sequence: number) => void | Promise<void>, signal: AbortSignal): void
}

interface Reader<T> {
  readonly read: (look: T, sequence: number) => void | Promise<void>
  isBusy: boolean
}

/**
 * Calls `produce` every `intervalMs` on absolute deadlines while there is at least one reader; a call that takes longer
 * than the interval delays the next one and is never doubled.
 *
 * @param onError receives a failed `produce` or reader; the ticker goes on
 */
export function createTicker<T>(
  produce: () => T | Promise<T>,
  intervalMs: number,
  onError: (error: unknown) => void,
): Ticker<T> {
  const readers = new Set<Reader<T>>()
  let latest: T | null = null
  let sequence = 0
  let timer: NodeJS.Timeout | null = null
  let isProducing = false

  const deliver = async (reader: Reader<T>, look: T, at: number): Promise<void> => {
    if (reader.isBusy) return
    reader.isBusy = true
    try {
      await reader.read(look, at)
    } catch (error) {
      onError(error)
    } finally {
      reader.isBusy = false
    }
  }
  const tick = async (deadline: number): Promise<void> => {
    isProducing = true
    try {
      latest = await produce()
      sequence++
      for (const reader of readers) void deliver(reader, latest, sequence)
    } catch (error) {
      onError(error)
    }
    isProducing = false
    if (readers.size === 0) {
      timer = null
      return
    }
    const now = performance.now()
    const next = Math.max(deadline + intervalMs, now)
    timer = setTimeout(() => void tick(next), next - now)
  }

  return {
    latest: () => latest,
    subscribe(read, signal) {
      if (signal.aborted) return
      const reader: Reader<T> = {read, isBusy: false}
      readers.add(reader)
      signal.addEventListener(
        'abort',
        () => {
          readers.delete(reader)
          // A look that is being taken ends the round by itself; until then nobody may start a second one.
          if (readers.size > 0 || timer === null || isProducing) return
          clearTimeout(timer)
          timer = null
        },
        {once: true},
      )
      timer ??= setTimeout(() => void tick(performance.now()), 0)
    },
  }
}
