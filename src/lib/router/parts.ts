import type {Clock, Logger} from '../foundation/index.js'
import type {HttpClient, RelayFailure, RelayPool} from '../http/index.js'
import type {Decision, Refusal, SleepReason} from './core/index.js'

/** What the router needs of the world. */
export interface RouterParts {
  readonly http: HttpClient
  createPool(origin: string, patienceMs: number): RelayPool
  readonly clock: Clock
  readonly logger: Logger
}

/** Why a request went no further, besides what the core refuses. */
export type RouteError = Refusal | 'unknown-model' | RelayFailure['kind']

/** Who counts what happens; every call is quick. */
export interface RouterObserver {
  forwarded(model: string, decision: Decision): void
  /** An attempt failed before the first byte, and another one follows. */
  retried(model: string, url: string, why: string): void
  /** @param status of the engine's answer */
  firstByte(model: string, status: number, sinceForwardedMs: number): void
  ended(model: string, outcome: 'succeeded' | 'failed' | 'cancelled'): void
  refused(model: string, why: RouteError): void
  /** A request that had to wait was forwarded. */
  waited(model: string, waitedMs: number): void
  /** A call to engines is over. */
  called(
    model: string,
    call: 'sleep' | 'wake',
    because: SleepReason | 'wanted',
    isDone: boolean,
    tookMs: number,
  ): void
}

export const noObserver: RouterObserver = {
  forwarded() {},
  retried() {},
  firstByte() {},
  ended() {},
  refused() {},
  waited() {},
  called() {},
}
