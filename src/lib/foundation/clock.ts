import {setTimeout as delay} from 'node:timers/promises'

/** Time as a part that is handed in, so that tests and planning can run on one of their own. */
export interface Clock {
  /** Monotonic nanoseconds from an arbitrary origin. */
  nowNs(): number
  /**
   * @param ms 0 or less: until the next turn of the event loop
   * @throws the signal's reason when aborted first
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The machine's CLOCK_MONOTONIC: readings of two processes on one machine can be compared. */
export const systemClock: Clock = {
  nowNs: () => Number(process.hrtime.bigint()),
  async sleep(ms, signal) {
    try {
      // Node 24 warns on stderr of a negative delay.
      await delay(Math.max(0, ms), undefined, signal && {signal})
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  },
}

/** A clock that stands still until it is told to move; `sleep` moves it. */
export class VirtualClock implements Clock {
  #nowNs: number

  constructor(startNs = 0) {
    this.#nowNs = startNs
  }

  nowNs(): number {
    return this.#nowNs
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    this.advanceTo(this.#nowNs + ms * 1e6)
  }

  /** Moves forward only; an earlier time is ignored. */
  advanceTo(nowNs: number): void {
    this.#nowNs = Math.max(this.#nowNs, nowNs)
  }
}
