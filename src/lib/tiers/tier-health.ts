import type {Logger} from '../foundation/index.js'

export interface TierHealthOptions {
  readonly tier: string
  readonly logger: Logger
  /** Time between two tries while it does not work. */
  readonly retryMs: number
  /** Throws while the medium does not work. */
  readonly probe: () => Promise<void>
}

/** Whether a tier's medium works. After a failure it is left out and tried again and again, until it works. */
export class TierHealth {
  readonly #options: TierHealthOptions
  #reason: string | null = null
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(options: TierHealthOptions) {
    this.#options = options
  }

  /** Why it is left out; null when it works. */
  get degraded(): string | null {
    return this.#reason
  }

  failed(error: unknown): void {
    const reason = error instanceof Error ? error.message || error.name : String(error)
    const {tier, logger} = this.#options
    if (this.#reason === null) logger.warn(`${tier} is degraded: ${reason}`)
    this.#reason = reason
    this.#tryLater()
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #tryLater(): void {
    if (this.#timer !== null || this.#isClosed) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.#try()
    }, this.#options.retryMs)
    this.#timer.unref()
  }

  async #try(): Promise<void> {
    const {tier, logger, probe} = this.#options
    try {
      await probe()
      if (this.#reason !== null) logger.info(`${tier} works again`)
      this.#reason = null
    } catch (error) {
      this.failed(error)
    }
  }
}
