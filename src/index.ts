/**
 * kvctl as a library: what its commands use, typed. Nothing native loads on import.
 *
 * ```ts
 * import {openSegments, parseSize} from 'kvctl'
 *
 * const segments = await openSegments()
 * for (const {name, record} of await segments.list()) console.log(name, record.usedBytes)
 * await segments.writeLimit('kvcached_vLLM_12345', parseSize('6G'))
 * ```
 */
import {silentLogger, type Logger} from './lib/foundation/index.js'
import type {SegmentStore} from './lib/segments/index.js'

export {
  ConfigurationError,
  EXIT,
  formatSize,
  KvctlError,
  NetworkError,
  parseSize,
  ResourceError,
  ValidationError,
  type Logger,
} from './lib/foundation/index.js'
export {
  planLimit,
  type LimitPlan,
  type LimitRequest,
  type LimitWrite,
  type SegmentLook,
  type SegmentRecord,
  type SegmentStore,
} from './lib/segments/index.js'
export {
  concurrency,
  e2eMs,
  percentile,
  percentileRanks,
  samplesNeeded,
  summarize,
  tpotMs,
  ttftMs,
  type RequestTimes,
  type Summary,
} from './lib/metrics/index.js'
export {
  openRunDirectory,
  readRequests,
  readResults,
  type RunDirectory,
  type RunResults,
} from './lib/runs/index.js'
export {isTokenBearing, type StreamChunk} from './lib/openai/index.js'

/** kvcached's segments on this host: `/dev/shm`, or `KVCTL_SHM_DIR`. */
export async function openSegments(logger: Logger = silentLogger): Promise<SegmentStore> {
  const {segmentStore} = await import('./wiring.js')
  return segmentStore(logger)
}
