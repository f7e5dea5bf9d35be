/** What became of a limit: in force, in force once blocks are freed, too old, or another than this revision's. */
export type LimitStatus = 'applied' | 'deferred' | 'stale' | 'conflict'

/** What a pool says of its limit, key by key as kvcached says it. */
export interface MemoryLimitState {
  readonly status: LimitStatus
  readonly pool_name: string
  readonly group_id: number
  /** As asked for; null before anybody did. */
  readonly limit_bytes: number | null
  /** Whole pages of it, and no more than at the start. */
  readonly effective_limit_bytes: number
  /** Memory of all pages that the pool has at most now; above the effective limit while that is deferred. */
  readonly current_capacity_bytes: number
  readonly revision: number | null
  /** Memory of pages in use and in reserve. */
  readonly mapped_bytes: number
  readonly remaining_bytes: number
  readonly overage_bytes: number
  readonly reason: LimitReason
}

/** Why a limit is not in force; empty where it is, or is too old. */
export type LimitReason = '' | 'inuse_capacity_above_limit' | 'revision_reused_with_different_limit'

/** What a process says of a limit over all its pools. */
export interface InstanceLimitState {
  readonly status: LimitStatus | 'unavailable'
  readonly reason: LimitReason | 'no_registered_kv_cache_pool'
  readonly limit_bytes: number
  readonly effective_limit_bytes: number
  readonly revision: number
  readonly mapped_bytes: number
  readonly remaining_bytes: number
  readonly overage_bytes: number
  readonly pools: readonly MemoryLimitState[]
}

/** A limit and its place in the order of limits; who sends one again sends the same number. */
export interface LimitRevision {
  readonly limitBytes: number
  readonly revision: number
}

export const REASONS: Readonly<Record<LimitStatus, LimitReason>> = {
  applied: '',
  stale: '',
  deferred: 'inuse_capacity_above_limit',
  conflict: 'revision_reused_with_different_limit',
}

/**
 * Pure: whether a limit is to be obeyed, given the last one that was.
 *
 * @throws RangeError for what is no whole number of 0 or more
 * @see ovg-project/kvcached:kvcached/kv_cache_manager.py — the same rules
 */
export function judgeRevision(
  last: LimitRevision | null,
  asked: LimitRevision,
): 'new' | 'same' | 'stale' | 'conflict' {
  for (const value of [asked.limitBytes, asked.revision]) {
    if (!(Number.isSafeInteger(value) && value >= 0))
      throw new RangeError(`${value} is no whole number of 0 or more`)
  }
  if (last === null || asked.revision > last.revision) return 'new'
  if (asked.revision < last.revision) return 'stale'
  return asked.limitBytes === last.limitBytes ? 'same' : 'conflict'
}

/** Pure: one limit split between pools by what they have at most; the last takes what is left. */
export function splitLimit(limitBytes: number, capacities: readonly number[]): number[] {
  const all = capacities.reduce((sum, bytes) => sum + bytes, 0)
  const limit = Math.min(limitBytes, all)
  let left = limit
  return capacities.map((bytes, index) => {
    const isLast = index === capacities.length - 1
    const share = isLast ? left : Math.min(left, Number((BigInt(limit) * BigInt(bytes)) / BigInt(all)))
    left -= share
    return share
  })
}

/** Pure: what the states of all pools come to. */
export function instanceState(
  {limitBytes, revision}: LimitRevision,
  pools: readonly MemoryLimitState[],
): InstanceLimitState {
  const sum = (key: 'mapped_bytes' | 'effective_limit_bytes'): number =>
    pools.reduce((total, pool) => total + pool[key], 0)
  const worst = (['conflict', 'stale', 'deferred', 'applied'] as const).find(status =>
    pools.some(pool => pool.status === status),
  )
  const [mapped, effective] = [sum('mapped_bytes'), sum('effective_limit_bytes')]
  return {
    status: worst ?? 'unavailable',
    reason: worst === undefined ? 'no_registered_kv_cache_pool' : REASONS[worst],
    limit_bytes: limitBytes,
    effective_limit_bytes: effective,
    revision,
    mapped_bytes: mapped,
    remaining_bytes: Math.max(0, effective - mapped),
    overage_bytes: Math.max(0, mapped - effective),
    pools,
  }
}
