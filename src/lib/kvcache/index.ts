export {KvCacheManager, type BlockMove, type KvCacheOptions, type ShrinkState} from './kv-cache-manager.js'
export type {PageCounts} from './page-allocator.js'
export type {PageMapper, UsagePort} from './ports.js'
