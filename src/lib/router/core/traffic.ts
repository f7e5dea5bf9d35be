import {Arrivals} from './arrivals.js'

/** How a request ended; `cancelled` is the client's doing and says nothing about the engine. */
export type RequestOutcome = 'succeeded' | 'failed' | 'cancelled'

/** What was asked of one model and what came of it. A request counts as begun when it arrives, also while it waits. */
export class Traffic {
  readonly #arrivals = new Arrivals()
  #succeeded = 0
  #failed = 0
  #meanResponseMs = 0

  get began(): number {
    return this.#arrivals.total
  }

  get succeeded(): number {
    return this.#succeeded
  }

  /** Failed, or given up by the client. */
  get failed(): number {
    return this.#failed
  }

  /** Arrival to last byte, mean of all that succeeded; 0 before the first, as upstream has it. */
  get meanResponseMs(): number {
    return this.#meanResponseMs
  }

  begin(nowMs: number): void {
    this.#arrivals.add(nowMs)
  }

  end(outcome: RequestOutcome, responseMs: number): void {
    if (outcome !== 'succeeded') {
      this.#failed++
      return
    }
    this.#succeeded++
    this.#meanResponseMs += (responseMs - this.#meanResponseMs) / this.#succeeded
  }

  /** Requests per second that began within the last `windowMs`. */
  rate(windowMs: number, nowMs: number): number {
    return this.#arrivals.countSince(nowMs - windowMs) / (windowMs / 1000)
  }
}
