export type {DType, Elements} from './dtype.js'
export {ElasticKvCacheManager, type MemoryUnit} from './elastic-kv-cache-manager.js'
export {poolSnapshot, type PoolFacts, type PoolSnapshot} from './pool-snapshot.js'
export {
  createKvcached,
  shortOfBlocks,
  type KvCacheInfo,
  type MambaCacheParams,
  type MambaStates,
  type PoolOptions,
  type SglangInterfaces,
  type VllmInitOptions,
  type VllmInterfaces,
  type VmmOps,
} from './interfaces.js'
export type {KvTensor} from './kv-tensor.js'
export type {RuntimeSnapshot} from './kvcached.js'
export type {InstanceLimitState, LimitReason, LimitStatus, MemoryLimitState} from './memory-limit.js'
export {ElasticMHATokenToKVPool, type MhaTokenToKvPoolOptions} from './mha-token-to-kv-pool.js'
export type {ElasticParts, KvDevice} from './parts.js'
export {serveRankExchange} from './ranks/index.js'
export type {InitOptions} from './session.js'
export {cachedBlocks, readKvcachedSettings} from './settings.js'
export {UsagePublisher, type PublishedSegment} from './usage-publisher.js'
