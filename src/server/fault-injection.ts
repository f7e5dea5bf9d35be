import {seededRandom} from '../lib/foundation/index.js'

/** Shares of requests, each 0 to 1, that shall go wrong; at most one thing goes wrong with a request. */
export interface FaultRates {
  /** Answered with 500 at once. */
  readonly error: number
  /** Answered with 429 at once. */
  readonly tooMany: number
  /** Streams whose connection breaks after some tokens. */
  readonly cut: number
  /** Streams that say nothing for `stallMs` after some tokens. */
  readonly stall: number
  readonly stallMs: number
  /** Requests that wait `spikeMs` before they reach the engine. */
  readonly spike: number
  readonly spikeMs: number
}

export type Fault =
  | {readonly kind: 'error' | 'tooMany'}
  | {readonly kind: 'spike'; readonly ms: number}
  | {readonly kind: 'cut'; readonly afterTokens: number}
  | {readonly kind: 'stall'; readonly afterTokens: number; readonly ms: number}

const LATEST_TOKEN = 8

/**
 * Deals out faults in the order of requests: the same seed and the same order give the same faults.
 *
 * @returns called once a request; null means that nothing goes wrong
 */
export function createFaultDealer(rates: FaultRates, seed: number): () => Fault | null {
  const random = seededRandom(seed)
  return () => {
    const [dice, afterTokens] = [random.unit(), random.integer(1, LATEST_TOKEN)]
    const faults: readonly [number, Fault][] = [
      [rates.error, {kind: 'error'}],
      [rates.tooMany, {kind: 'tooMany'}],
      [rates.cut, {kind: 'cut', afterTokens}],
      [rates.stall, {kind: 'stall', afterTokens, ms: rates.stallMs}],
      [rates.spike, {kind: 'spike', ms: rates.spikeMs}],
    ]
    let below = 0
    for (const [rate, fault] of faults) {
      below += rate
      if (dice < below) return fault
    }
    return null
  }
}
