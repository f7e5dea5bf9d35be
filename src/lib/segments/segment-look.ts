import type {Creator} from './creator.js'
import type {Liveness} from './liveness.js'
import type {SegmentRecord} from './record.js'
import type {SegmentIdentity} from './segment-file.js'
import type {SegmentWarning} from './warnings.js'

/** One segment as it was at one moment. */
export interface SegmentLook {
  readonly name: string
  readonly record: SegmentRecord
  /** False when a process kept the lock all the time: the figures may then mix two updates. */
  readonly isSettled: boolean
  /** The first total that kvctl saw in this segment, which is taken for the engine's start-up total. */
  readonly startupBytes: bigint | null
  readonly identity: SegmentIdentity
  /** The user the file belongs to. */
  readonly userId: number
  /** The process of ours that made it; null when another program did. */
  readonly creator: Creator | null
  /** Whether the limit is the first one seen, or one that kvctl wrote. */
  readonly isLimitOurs: boolean
}

/** Who stands behind a segment, and what is odd about it. */
export interface SegmentState extends Liveness {
  readonly warnings: readonly SegmentWarning[]
}

/** A segment at one moment, with who stands behind it. */
export interface OwnedLook extends SegmentLook {
  readonly state: SegmentState
}
