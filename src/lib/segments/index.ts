export {RECORD_BYTES, heldBytes, usedPercent, type SegmentRecord} from './record.js'
export {defaultSegmentName, groupInName, processGroupId, sanitizeName} from './segment-name.js'
export {SegmentNotFoundError, type SegmentIdentity} from './segment-file.js'
export {
  createSegmentStore,
  SEGMENT_DIRECTORY,
  type LimitWrite,
  type SegmentStore,
  type SegmentStoreOptions,
} from './store.js'
export type {OwnedLook, SegmentLook, SegmentState} from './segment-look.js'
export {createMemoryStore, stateFolder, type MemoryStore} from './state-folder.js'
export {type Liveness, type Verdict} from './liveness.js'
export type {Creator} from './creator.js'
export {type SegmentWarning} from './warnings.js'
export {
  planLimit,
  RESTORE_MARGIN_BYTES,
  type LimitOutcome,
  type LimitPlan,
  type LimitRequest,
} from './plan-limit.js'
export {awaitLimit, setLimit, type LimitChange, type Patience} from './set-limit.js'
export {parsePercent, shareOf} from './share.js'
export {removeSegment} from './remove-segment.js'
export {lookAtSegments, watchSegments, type SegmentsLook} from './watch.js'
export {pruneSegments, type PruneFinding} from './prune.js'
export {limitJson, pruneJson, segmentJson, type LimitJson, type PruneJson, type SegmentJson} from './json.js'
