export const EVICTION_POLICIES = ['LRU', 'LFU', 'FIFO', 'MRU'] as const
export type EvictionPolicyName = (typeof EVICTION_POLICIES)[number]

/** Which key a full tier gives up next; it knows keys only, what may be evicted is the tier's to say. */
export interface EvictionPolicy {
  added(key: string): void
  hit(key: string): void
  removed(key: string): void
  /** The first key in order of eviction for which `mayEvict` holds; null when there is none. */
  candidate(mayEvict: (key: string) => boolean): string | null
}
