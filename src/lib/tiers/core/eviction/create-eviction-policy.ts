import type {EvictionPolicy, EvictionPolicyName} from './eviction-policy.js'
import {FrequencyOrder} from './frequency-order.js'
import {RecencyOrder} from './recency-order.js'

/** @see LMCache/LMCache:lmcache/v1/storage_backend/cache_policy — the same four orders */
export function createEvictionPolicy(name: EvictionPolicyName): EvictionPolicy {
  switch (name) {
    case 'LFU':
      return new FrequencyOrder()
    case 'LRU':
      return new RecencyOrder({movesOnHit: true, evictsNewest: false})
    case 'FIFO':
      return new RecencyOrder({movesOnHit: false, evictsNewest: false})
    case 'MRU':
      return new RecencyOrder({movesOnHit: true, evictsNewest: true})
  }
}
