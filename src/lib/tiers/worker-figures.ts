/** What a metrics page records as it happens; a worker calls it, never waits for it. Seconds, tokens, shares 0 to 1. */
export interface CacheObserver {
  stored(seconds: number, tokens: number): void
  retrieved(seconds: number, tokens: number, hitShare: number): void
  lookedUp(seconds: number): void
}

/** Totals since start. */
export interface WorkerTotals {
  readonly storeRequests: number
  readonly retrieveRequests: number
  readonly lookupRequests: number
  readonly requestedTokens: number
  readonly hitTokens: number
  readonly storedTokens: number
  readonly lookupTokens: number
  readonly lookupHits: number
  readonly lookupsWithoutHit: number
}

export const NO_TOTALS: WorkerTotals = {
  ...{storeRequests: 0, retrieveRequests: 0, lookupRequests: 0, requestedTokens: 0, hitTokens: 0},
  ...{storedTokens: 0, lookupTokens: 0, lookupHits: 0, lookupsWithoutHit: 0},
}
