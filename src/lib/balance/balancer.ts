import {ConfigurationError, ResourceError, type Clock, type Logger} from '../foundation/index.js'
import type {HttpClient} from '../http/index.js'
import {engineFiguresOf, fetchMetricsText} from '../inference/index.js'
import type {BalanceBounds, BalanceConfig} from '../router/index.js'
import {setLimit, type SegmentLook, type SegmentStore} from '../segments/index.js'
import {
  movesAllowedNow,
  planBalance,
  type BalanceLook,
  type BalanceMove,
  type BalancePlan,
} from './plan-balance.js'

export interface BalanceParts {
  readonly segments: SegmentStore
  readonly http: HttpClient
  readonly clock: Clock
  readonly logger: Logger
}

/** What was found, and what follows from it. */
export interface BalanceView {
  readonly totalBytes: number
  readonly looks: readonly BalanceLook[]
  readonly missing: readonly string[]
  readonly plan: BalancePlan
}

const LOCK_MS = 1000
/** At start-up total an engine takes a limit for none at all, so that nothing may come closer than a page. */
const BELOW_STARTUP_BYTES = 2 * 2 ** 20
/** Requests that wait want as much again as half of what their engine may hold. */
const WAITING_SHARE = 0.5

/** Moves the limits of segments between models by demand, within floors and ceilings. */
export class Balancer {
  readonly #parts: BalanceParts
  readonly #config: BalanceConfig
  /** What each segment's requests wanted at the look before. */
  readonly #seenBytes = new Map<string, number>()
  #totalBytes: number | null

  constructor(parts: BalanceParts, config: BalanceConfig) {
    this.#parts = parts
    this.#config = config
    this.#totalBytes = config.totalBytes === null ? null : Number(config.totalBytes)
  }

  /** Looks at every segment and engine, and plans; writes nothing. */
  async view(signal: AbortSignal): Promise<BalanceView> {
    const missing: string[] = []
    const found: {bounds: BalanceBounds; look: SegmentLook; demandBytes: number}[] = []
    for (const bounds of this.#config.bounds) {
      try {
        const look = await this.#parts.segments.read(bounds.segment)
        found.push({bounds, look, demandBytes: await this.#demandOf(bounds, look, signal)})
      } catch (error) {
        if (!(error instanceof ResourceError)) throw error
        missing.push(bounds.segment)
      }
    }
    const sumBytes = found.reduce((sum, {look}) => sum + Number(look.record.limitBytes), 0)
    // Without a word of the file it is what the engines were given, once all of them are there.
    if (missing.length === 0) this.#totalBytes ??= sumBytes
    const totalBytes = this.#totalBytes ?? sumBytes
    const looks = found.map(({bounds, look, demandBytes}) =>
      lookOf(bounds, look, demandBytes, totalBytes / (10 * this.#config.bounds.length)),
    )
    const isShareable = looks.length >= 2 && missing.length === 0
    const plan = isShareable
      ? planBalance(looks, totalBytes, this.#stepBytes(totalBytes))
      : {targets: new Map<string, number>(), moves: []}
    return {totalBytes, looks, missing, plan}
  }

  /** Writes what of the plan can be written now. @returns what was written */
  async step(signal: AbortSignal): Promise<readonly BalanceMove[]> {
    const {looks, plan, totalBytes} = await this.view(signal)
    const written: BalanceMove[] = []
    for (const move of movesAllowedNow(looks, plan, totalBytes, this.#stepBytes(totalBytes))) {
      try {
        const request = {limitBytes: BigInt(move.toBytes), isForced: false}
        await setLimit(this.#parts.segments, move.segment, request, {signal, timeoutMs: LOCK_MS})
        written.push(move)
      } catch (error) {
        if (!(error instanceof ResourceError || error instanceof ConfigurationError)) throw error
        this.#parts.logger.warn(`balance: ${error.message}`)
        // A raise may count on a shrink that was not written: everything is looked at again next time.
        break
      }
    }
    return written
  }

  /** Steps until the signal is aborted. */
  async run(moved: (move: BalanceMove) => void, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        for (const move of await this.step(signal)) moved(move)
        await this.#parts.clock.sleep(this.#config.intervalMs, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  #stepBytes(totalBytes: number): number {
    return totalBytes * this.#config.stepShare
  }

  /** What an engine's requests hold, by its metrics, and more where some wait; without metrics what it uses. */
  async #demandOf({segment, url}: BalanceBounds, look: SegmentLook, signal: AbortSignal): Promise<number> {
    const text = url === null ? null : await fetchMetricsText(this.#parts.http, url, signal)
    const figures = text === null ? null : engineFiguresOf(text)
    const startupBytes = Number(look.startupBytes ?? look.record.limitBytes)
    const usage = figures?.kvCacheUsage ?? null
    const seen =
      usage === null
        ? Number(look.record.usedBytes)
        : usage * startupBytes +
          ((figures?.waiting ?? 0) > 0 ? WAITING_SHARE * Number(look.record.limitBytes) : 0)
    const before = this.#seenBytes.get(segment) ?? seen
    this.#seenBytes.set(segment, seen)
    // A pause between two requests is no demand that has gone: one look more decides.
    return Math.max(seen, before)
  }
}

function lookOf(
  {segment, floorBytes, ceilingBytes}: BalanceBounds,
  {record, startupBytes}: SegmentLook,
  demandBytes: number,
  defaultFloorBytes: number,
): BalanceLook {
  const highest = startupBytes === null ? record.limitBytes : startupBytes - BigInt(BELOW_STARTUP_BYTES)
  const ceiling = Math.min(Number(ceilingBytes ?? highest), Number(highest))
  return {
    segment,
    limitBytes: Number(record.limitBytes),
    heldBytes: Number(record.usedBytes + record.preallocBytes),
    demandBytes,
    floorBytes: Math.min(Number(floorBytes ?? defaultFloorBytes), ceiling),
    ceilingBytes: ceiling,
  }
}
