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
 *
 * and kvcached's own library, for programs that keep KV caches themselves; `examples/elastic-kv-cache.js` shows all of it:
 *
 * ```ts
 * import {vllm} from 'kvctl'
 *
 * await vllm.initKvcached({device: 'cpu'})
 * const tensors = vllm.allocKvCache([2, 1000, 16, 8, 128], 16, 'float16', 'cpu', 32)
 * const manager = await vllm.getKvCacheManager(1000, 16, 8 * 128 * 2, 32)
 * ```
 */
import {
  createKvcached,
  type ElasticParts,
  type SglangInterfaces,
  type VllmInterfaces,
  type VmmOps,
} from './lib/elastic/index.js'
import {silentLogger, type Logger} from './lib/foundation/index.js'
import type {SegmentStore} from './lib/segments/index.js'

export {
  ConfigurationError,
  EXIT,
  formatSize,
  KvctlError,
  type ErrorOptionsKvctl,
  NetworkError,
  parseSize,
  ResourceError,
  ValidationError,
  type Logger,
  type LogLevel,
} from './lib/foundation/index.js'
export {
  planLimit,
  type Creator,
  type LimitOutcome,
  type LimitPlan,
  type LimitRequest,
  type LimitWrite,
  type SegmentIdentity,
  type SegmentLook,
  type SegmentRecord,
  type SegmentState,
  type SegmentWarning,
  type Verdict,
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
  type Concurrency,
  type Interval,
  type IntervalRanks,
  type PercentileName,
  type RequestTimes,
  type Summary,
} from './lib/metrics/index.js'
export {
  openRunDirectory,
  readRequests,
  readResults,
  type RequestTable,
  type RunDirectory,
  type RunResults,
  type WallSpan,
} from './lib/runs/index.js'
export {
  ElasticMHATokenToKVPool,
  type DType,
  type ElasticKvCacheManager,
  type Elements,
  type InitOptions,
  type InstanceLimitState,
  type KvCacheInfo,
  type KvTensor,
  type LimitReason,
  type LimitStatus,
  type MambaCacheParams,
  type MambaStates,
  type MemoryLimitState,
  type MemoryUnit,
  type MhaTokenToKvPoolOptions,
  type PoolOptions,
  type PoolSnapshot,
  type RuntimeSnapshot,
  type VllmInitOptions,
} from './lib/elastic/index.js'
export type {SglangInterfaces, VllmInterfaces, VmmOps}
export type {PageCounts} from './lib/kvcache/index.js'
export {ElasticBlockPool, type BlockManager, type ElasticBlockPoolOptions} from './lib/engine/index.js'
export {isTokenBearing, type Delta, type StreamChunk, type Usage} from './lib/openai/index.js'

// Real parts are made when the library is first used, so that importing it stays cheap.
const wired: ElasticParts = {
  environment: process.env,
  logger: silentLogger,
  temporaryFolder: '/tmp',
  segmentStore: async () => (await import('./wiring/index.js')).segmentStore(silentLogger),
  openDevice: async device => (await import('./wiring/index.js')).openKvDevice(device),
}
const kvcached = createKvcached(wired)

/** KV caches in vLLM's shapes. All of this process share one device, one segment a group and one state. */
export const vllm: VllmInterfaces = kvcached.vllm
/** KV caches in SGLang's shapes. */
export const sglang: SglangInterfaces = kvcached.sglang
/** What lies under both: see {@link VmmOps}. */
export const createKvTensors: VmmOps['createKvTensors'] = kvcached.vmmOps.createKvTensors
/** See {@link VmmOps}. */
export const kvTensorsCreated: VmmOps['kvTensorsCreated'] = kvcached.vmmOps.kvTensorsCreated
/** See {@link VmmOps}. */
export const mapToKvTensors: VmmOps['mapToKvTensors'] = kvcached.vmmOps.mapToKvTensors
/** See {@link VmmOps}. */
export const unmapFromKvTensors: VmmOps['unmapFromKvTensors'] = kvcached.vmmOps.unmapFromKvTensors

/** kvcached's segments on this host: `/dev/shm`, or `KVCTL_SHM_DIR`. */
export async function openSegments(logger: Logger = silentLogger): Promise<SegmentStore> {
  const {segmentStore} = await import('./wiring/index.js')
  return segmentStore(logger)
}
