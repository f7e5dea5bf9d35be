export interface CircuitRules {
  /** Failures in a row that open it. */
  readonly failures: number
  readonly openMs: number
  readonly longestOpenMs: number
}

/** `half-open`: its time is over, and one request may find out whether the engine is back. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** Keeps requests from an engine that fails them: open after so many failures in a row, each time for twice as long. */
export class Circuit {
  readonly #rules: CircuitRules
  #failures = 0
  #openings = 0
  #openUntilMs: number | null = null
  #isTrying = false

  constructor(rules: CircuitRules) {
    this.#rules = rules
  }

  state(nowMs: number): CircuitState {
    if (this.#openUntilMs === null) return 'closed'
    return nowMs < this.#openUntilMs ? 'open' : 'half-open'
  }

  mayTry(nowMs: number): boolean {
    const state = this.state(nowMs)
    return state === 'closed' || (state === 'half-open' && !this.#isTrying)
  }

  tried(nowMs: number): void {
    if (this.state(nowMs) === 'half-open') this.#isTrying = true
  }

  succeeded(): void {
    this.#failures = 0
    this.#openings = 0
    this.#openUntilMs = null
    this.#isTrying = false
  }

  failed(nowMs: number): void {
    const {failures, openMs, longestOpenMs} = this.#rules
    const wasTrying = this.#isTrying
    this.#isTrying = false
    if (++this.#failures < failures && !wasTrying) return
    this.#openUntilMs = nowMs + Math.min(openMs * 2 ** this.#openings++, longestOpenMs)
  }

  /** The request that tried was given up by its client: nothing is known, somebody else may try. */
  abandoned(): void {
    this.#isTrying = false
  }
}
