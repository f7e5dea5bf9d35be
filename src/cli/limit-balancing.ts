import {isDeepStrictEqual} from 'node:util'
import {formatSize, type Logger} from '../lib/foundation/index.js'
import type {BalanceConfig} from '../lib/router/index.js'
import {balancerFor} from '../wiring/index.js'

/** Moves segment limits while a server runs, by the `balance` block that was read last. */
export class LimitBalancing {
  readonly #logger: Logger
  #config: BalanceConfig | null = null
  #stop: () => Promise<void> = async () => {}
  /** One change after another. */
  #turn: Promise<void> = Promise.resolve()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Settles when limits follow `config`: at once where nothing has changed. null moves nothing any more. */
  async configure(config: BalanceConfig | null): Promise<void> {
    const turn = this.#turn.then(async () => {
      if (isDeepStrictEqual(config, this.#config)) return
      await this.#stop()
      this.#stop = async () => {}
      this.#config = null
      if (config !== null) this.#stop = await this.#start(config)
      this.#config = config
    })
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async close(): Promise<void> {
    return this.configure(null)
  }

  /** @returns ends it */
  async #start(config: BalanceConfig): Promise<() => Promise<void>> {
    const end = new AbortController()
    const balancer = await balancerFor(config, this.#logger)
    const running = balancer
      .run(({segment, fromBytes, toBytes, because}) => {
        this.#logger.info(
          `limit of '${segment}': ${formatSize(fromBytes)} → ${formatSize(toBytes)}, since ${because}`,
        )
      }, end.signal)
      .catch((error: unknown) => {
        this.#logger.error(`balancing ended: ${error instanceof Error ? error.message : String(error)}`)
      })
    return async () => {
      end.abort()
      await running
      await balancer.close()
    }
  }
}
