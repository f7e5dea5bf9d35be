/** What a metrics page records as it happens; a worker calls it, never waits for it. Seconds, tokens, shares 0 to 1. */
export interface CacheObserver {
  stored(seconds: number, tokens: number, parts: StoreParts): void
  /** @param parts null where pages are filled later, by who asked */
  retrieved(seconds: number, tokens: number, hitShare: number, parts: RetrieveParts | null): void
  lookedUp(seconds: number): void
}

/** Where the time of a store went. */
interface StoreParts {
  readonly hashSeconds: number
  readonly gatherSeconds: number
  readonly putSeconds: number
}

/** Where the time of a retrieve went, beside reading. */
interface RetrieveParts {
  readonly hashSeconds: number
  readonly scatterSeconds: number
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
