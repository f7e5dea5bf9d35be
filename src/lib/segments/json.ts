import {heldBytes, usedPercent} from './record.js'
import type {LimitOutcome} from './plan-limit.js'
import type {LimitChange} from './set-limit.js'
import type {Verdict} from './liveness.js'
import type {PruneFinding} from './prune.js'
import type {SegmentWarning} from './warnings.js'
import type {OwnedLook} from './segment-look.js'

/** A segment on the wire: kvcached's three keys first, then ours. Sizes are exact beyond 2^53. */
export interface SegmentJson {
  readonly ipc: string
  readonly limit_bytes: bigint
  readonly used_bytes: bigint
  readonly prealloc_bytes: bigint
  /** limit − used − preallocated, at least 0. */
  readonly free_bytes: bigint
  /** used / limit × 100, two decimals; 0 without a limit. */
  readonly percent: number
  /** The first total seen; null when unknown. */
  readonly startup_bytes: bigint | null
  /** False when a process kept the lock all the time, so that the figures may mix two updates. */
  readonly settled: boolean
  readonly state: Verdict
  readonly state_reason: string
  /** The engine's process and what it was started with; null when unknown. */
  readonly pid: number | null
  readonly owner: string | null
  readonly warnings: readonly SegmentWarning[]
}

/** @see ovg-project/kvcached:kvcached/cli/kvctl.py — list --json */
export function segmentJson({name, record, startupBytes, isSettled, state}: OwnedLook): SegmentJson {
  const free = record.limitBytes - heldBytes(record)
  return {
    ipc: name,
    limit_bytes: record.limitBytes,
    used_bytes: record.usedBytes,
    prealloc_bytes: record.preallocBytes,
    free_bytes: free > 0n ? free : 0n,
    percent: Math.round(usedPercent(record) * 100) / 100,
    startup_bytes: startupBytes,
    settled: isSettled,
    state: state.verdict,
    state_reason: state.because,
    pid: state.pid,
    owner: state.owner,
    warnings: state.warnings,
  }
}

/** A written limit on the wire; used and preallocated are those of the moment before. */
export interface LimitJson {
  readonly ipc: string
  readonly limit_bytes: bigint
  readonly used_bytes: bigint
  readonly prealloc_bytes: bigint
  readonly previous_limit_bytes: bigint
  readonly startup_bytes: bigint | null
  readonly outcome: LimitOutcome
  readonly explanation: string | null
}

export function limitJson({
  name,
  limitBytes,
  before,
  startupBytes,
  outcome,
  explanation,
}: LimitChange): LimitJson {
  return {
    ipc: name,
    limit_bytes: limitBytes,
    used_bytes: before.usedBytes,
    prealloc_bytes: before.preallocBytes,
    previous_limit_bytes: before.limitBytes,
    startup_bytes: startupBytes,
    outcome,
    explanation,
  }
}

/** What prune found of one segment. */
export interface PruneJson {
  readonly ipc: string
  readonly state: Verdict
  readonly pid: number | null
  readonly reason: string
  /** What was done, not what would be: always false in a dry run. */
  readonly deleted: boolean
}

export function pruneJson(
  {name, verdict, pid, because, isRemoved}: PruneFinding,
  isDryRun: boolean,
): PruneJson {
  return {ipc: name, state: verdict, pid, reason: because, deleted: isRemoved && !isDryRun}
}
