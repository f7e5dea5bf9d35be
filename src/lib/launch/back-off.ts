/** When a program that ended is started again. Times in ms. */
export interface RestartRules {
  /** How many times in a row. */
  readonly restarts: number
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** A program that ran for so long after it was ready counts as sound: the row begins anew. */
  readonly soundAfterMs: number
}

export const DEFAULT_RESTARTS: RestartRules = {
  restarts: 5,
  firstPauseMs: 1000,
  longestPauseMs: 60_000,
  soundAfterMs: 60_000,
}

/** Counts how often a program ended in a row, and says how long to wait each time. */
export class BackOff {
  readonly #rules: RestartRules
  #ends = 0

  constructor(rules: RestartRules) {
    this.#rules = rules
  }

  /**
   * The program ended.
   *
   * @param readyForMs how long it had answered; null when it never did
   * @returns the pause before it is started again; null when it has ended too often
   */
  ended(readyForMs: number | null): number | null {
    const {restarts, firstPauseMs, longestPauseMs, soundAfterMs} = this.#rules
    if (readyForMs !== null && readyForMs >= soundAfterMs) this.#ends = 0
    if (++this.#ends > restarts) return null
    return Math.min(firstPauseMs * 2 ** (this.#ends - 1), longestPauseMs)
  }
}
