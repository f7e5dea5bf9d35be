import type {KvCacheManager} from '../kvcache/index.js'

/** What kvcached's observability says of one pool, key by key. */
export interface PoolSnapshot {
  readonly schema_version: 'kvcached.observability.v1'
  readonly pool_type: 'kv_cache'
  readonly integration: string
  readonly pool_name: string
  readonly group_id: number
  readonly num_layers: number
  readonly num_kv_buffers: number
  readonly page_size_bytes: number
  readonly block_size_bytes: number
  readonly total_blocks: number
  readonly available_blocks: number
  readonly allocated_blocks: number
  readonly reserved_blocks: number
  readonly available_bytes: number
  readonly allocated_bytes: number
  readonly reserved_bytes: number
  readonly null_block_reserved: boolean
  readonly virtual_per_layer_bytes: number
  readonly virtual_total_bytes: number
  readonly mapped_bytes: number
  readonly total_pages: number
  readonly free_pages: number
  readonly inuse_pages: number
  readonly reserved_pages: number
  /** Null when the machine cannot tell. */
  readonly available_physical_pages: number | null
  readonly effective_free_pages: number
  readonly in_shrink: boolean
  readonly shrink_target_blocks: number | null
  /** The last limit asked for, by buffer and layer; -1 when none was, or it is the start-up size. */
  readonly resize_target_bytes: number
}

export interface PoolFacts {
  readonly integration: 'vllm' | 'sglang' | 'kvctl'
  readonly poolName: string
  readonly groupId: number
  readonly numBlocks: number
  readonly blockBytes: number
  readonly pageBytes: number
  readonly numLayers: number
  readonly buffers: number
  readonly reservesNullBlock: boolean
}

/** @see ovg-project/kvcached:kvcached/observability.py — the same keys */
export function poolSnapshot(pool: KvCacheManager, facts: PoolFacts): PoolSnapshot {
  const {numLayers, buffers, blockBytes, pageBytes, numBlocks} = facts
  const {total, inUse, reserved, free} = pool.pageCounts
  const {inShrink} = pool.shrinkState()
  const blockBundle = blockBytes * numLayers * buffers
  const [available, allocated] = [pool.availableSize(), pool.allocatedBlocks]
  const perLayer = numBlocks * blockBytes * buffers
  return {
    schema_version: 'kvcached.observability.v1',
    pool_type: 'kv_cache',
    integration: facts.integration,
    pool_name: facts.poolName,
    group_id: facts.groupId,
    num_layers: numLayers,
    num_kv_buffers: buffers,
    page_size_bytes: pageBytes,
    block_size_bytes: blockBytes,
    total_blocks: numBlocks,
    available_blocks: available,
    allocated_blocks: allocated,
    reserved_blocks: pool.reservedBlocks,
    available_bytes: available * blockBundle,
    allocated_bytes: allocated * blockBundle,
    reserved_bytes: pool.reservedBlocks * blockBundle,
    null_block_reserved: facts.reservesNullBlock,
    virtual_per_layer_bytes: perLayer,
    virtual_total_bytes: perLayer * numLayers,
    mapped_bytes: inUse * pool.pageBundleBytes,
    total_pages: total,
    free_pages: free + reserved,
    inuse_pages: inUse,
    reserved_pages: reserved,
    available_physical_pages: pool.availablePages === Infinity ? null : pool.availablePages,
    effective_free_pages: pool.openPages,
    in_shrink: inShrink,
    shrink_target_blocks: inShrink ? pool.capacityBlocks() : null,
    resize_target_bytes: pool.limitPerBuffer ?? -1,
  }
}
