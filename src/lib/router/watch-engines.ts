import type {Clock, Logger} from '../foundation/index.js'
import type {HttpClient} from '../http/index.js'
import {checkHealth, engineFiguresOf, fetchMetricsText} from '../inference/index.js'
import type {Door} from './door.js'

export interface WatchParts {
  readonly doors: () => readonly Door[]
  readonly reconcile: () => Promise<void>
  readonly http: HttpClient
  readonly clock: Clock
  readonly logger: Logger
  readonly healthIntervalMs: () => number
  readonly checkIntervalMs: () => number
}

const FIGURES_INTERVAL_MS = 1000
/** Even where sleep is checked once an hour, what engines say is asked for so often. */
const LONGEST_RECONCILE_MS = 60_000

/** Asks engines again and again how they are, how busy they are and whether they sleep, until the signal is aborted. */
export function watchEngines(parts: WatchParts, signal: AbortSignal): void {
  const {http, clock, logger} = parts
  const repeat = async (intervalMs: () => number, look: () => Promise<void>): Promise<void> => {
    for (;;) {
      await look().catch((error: unknown) => {
        logger.warn(`watching engines: ${error instanceof Error ? error.message : String(error)}`)
      })
      try {
        await clock.sleep(intervalMs(), signal)
      } catch {
        // Aborted: the router ends.
        return
      }
    }
  }
  void repeat(parts.healthIntervalMs, async () => {
    await Promise.all(parts.doors().map(door => probe(http, door)))
  })
  void repeat(
    () => FIGURES_INTERVAL_MS,
    async () => {
      await Promise.all(parts.doors().map(door => measure(http, door)))
    },
  )
  void repeat(() => Math.min(parts.checkIntervalMs(), LONGEST_RECONCILE_MS), parts.reconcile)
}

async function probe(http: HttpClient, {config, replicas}: Door): Promise<void> {
  await Promise.all(
    config.replicas.map(async ({url}) => replicas.probed(url, await checkHealth(http, url, config.apiKey))),
  )
}

async function measure(http: HttpClient, {config, replicas}: Door): Promise<void> {
  if (!replicas.readsFigures) return
  await Promise.all(
    config.replicas.map(async ({url}) => {
      const sent = replicas.looks(0).find(look => look.url === url)?.inFlight ?? 0
      const text = await fetchMetricsText(http, url)
      const figures = text === null ? null : engineFiguresOf(text)
      replicas.measured(
        url,
        {
          running: figures?.running ?? null,
          waiting: figures?.waiting ?? null,
          kvUsage: figures?.kvCacheUsage ?? null,
        },
        sent,
      )
    }),
  )
}
