import type {Claim} from './claims.js'

/** Something about a segment that its figures do not say. */
export interface SegmentWarning {
  readonly code: 'LIMIT_CHANGED_ELSEWHERE' | 'SEGMENT_SHARED'
  /** One clause for people. */
  readonly message: string
}

/**
 * Pure: what a person should know before trusting the figures.
 *
 * Pools of one engine that are given the same explicit name overwrite each other's total, and data-parallel engine cores in
 * one process group get the same default name.
 *
 * @param isLimitOurs whether the limit is the first one seen or one that kvctl wrote
 * @see ovg-project/kvcached:kvcached/utils.py — names are never made unique; issue #316
 */
export function warningsOn(isLimitOurs: boolean, claims: readonly Claim[]): SegmentWarning[] {
  const warnings: SegmentWarning[] = []
  // SGLang's ranks write one segment with equal values, as intended.
  const cores = claims.filter(({isCore, command}) => isCore && command?.startsWith('VLLM::'))
  if (cores.length > 1) {
    const pids = cores.map(({pid}) => pid).join(' and ')
    warnings.push({
      code: 'SEGMENT_SHARED',
      message: `engines ${pids} publish into the same segment; give each its own KVCACHED_IPC_NAME`,
    })
  }
  if (!isLimitOurs) {
    warnings.push({
      code: 'LIMIT_CHANGED_ELSEWHERE',
      message:
        'its limit was set by something other than your kvctl: another tool, or several pools that share the segment',
    })
  }
  return warnings
}
