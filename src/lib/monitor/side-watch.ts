import type {Clock} from '../foundation/index.js'

/** Where nothing answered it is asked again after this long. */
const RETRY_MS = 10_000
/** What could not be read again for so long is no longer shown. */
const FORGET_MS = 60_000

/**
 * Something beside a machine that may not be there, such as a controller: asked again and again, never waited for, and shown
 * as it last was when it falls silent.
 */
export class SideWatch<T> {
  readonly #ask: () => Promise<readonly T[] | null>
  readonly #clock: Clock
  #known: readonly T[] = []
  #knownAtMs = -Infinity
  #notBeforeMs = -Infinity
  #asking: Promise<void> | null = null

  /** @param ask null: it is not there */
  constructor(ask: () => Promise<readonly T[] | null>, clock: Clock) {
    this.#ask = ask
    this.#clock = clock
  }

  /** Asks unless that is going on, or was in vain a moment ago. Never fails. */
  async refresh(): Promise<void> {
    if (this.#nowMs < this.#notBeforeMs) return
    this.#asking ??= this.#read().finally(() => (this.#asking = null))
    await this.#asking
  }

  get known(): readonly T[] {
    return this.#nowMs - this.#knownAtMs > FORGET_MS ? [] : this.#known
  }

  async #read(): Promise<void> {
    const found = await this.#ask().catch(() => null)
    if (found === null) {
      if (this.known.length === 0) this.#notBeforeMs = this.#nowMs + RETRY_MS
      return
    }
    this.#known = found
    this.#knownAtMs = this.#nowMs
  }

  get #nowMs(): number {
    return this.#clock.nowNs() / 1e6
  }
}
