/** The tiers' names, which the API shows, in the order in which they are asked. */
export const TIER_NAMES = ['LocalCPUBackend', 'LocalDiskBackend', 'RemoteBackend'] as const
export type TierName = (typeof TIER_NAMES)[number]

/** What operators switch while a worker runs. */
export interface TierSwitches {
  /** Nothing is stored, and only the CPU tier is read. */
  readonly isFrozen: boolean
  /** Whether the CPU tier keeps chunks, or is staging memory only. */
  readonly isHot: boolean
  readonly bypassed: ReadonlySet<string>
}

export type TierUse = 'store' | 'retrieve' | 'lookup' | 'write-back' | 'clear'

/**
 * Whether a tier takes part in an operation. Unlike upstream nothing is written back into a bypassed CPU tier.
 *
 * @see LMCache/LMCache:lmcache/v1/storage_backend/storage_manager.py — get_active_storage_backends and batched_put
 */
export function takesPart(tier: string, use: TierUse, {isFrozen, isHot, bypassed}: TierSwitches): boolean {
  const isCpu = tier === 'LocalCPUBackend'
  if (use === 'clear') return !isCpu || isHot
  if (bypassed.has(tier)) return false
  switch (use) {
    case 'store':
      return !isFrozen && (!isCpu || isHot)
    case 'write-back':
      return isCpu && isHot && !isFrozen
    case 'retrieve':
    case 'lookup':
      return isCpu || !isFrozen
  }
}
