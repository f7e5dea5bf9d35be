import {Counter, Gauge, Histogram, type Registry} from 'prom-client'
import type {CacheFigures} from '../../lib/tiers/index.js'

/** @see LMCache/LMCache:lmcache/observability.py — the buckets */
const SECONDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const LOOKUP_SECONDS = Array.from({length: 20}, (_, index) => 1e-5 * 2 ** index)
const TOKENS_PER_SECOND = [1, ...Array.from({length: 14}, (_, index) => 8 * 2 ** index)].filter(
  speed => speed <= 65_536,
)
const SHARES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]

type Figure = readonly [name: string, help: string, value: (figures: Look) => number]
type Look = ReturnType<CacheFigures['look']>

const COUNTERS: readonly Figure[] = [
  ['num_retrieve_requests', 'Retrieves.', ({totals}) => totals.retrieveRequests],
  ['num_store_requests', 'Stores.', ({totals}) => totals.storeRequests],
  ['num_lookup_requests', 'Lookups.', ({totals}) => totals.lookupRequests],
  ['num_requested_tokens', 'Tokens that retrieves asked for.', ({totals}) => totals.requestedTokens],
  ['num_hit_tokens', 'Tokens that retrieves loaded.', ({totals}) => totals.hitTokens],
  ['num_stored_tokens', 'Tokens stored.', ({totals}) => totals.storedTokens],
  ['num_lookup_tokens', 'Tokens looked up.', ({totals}) => totals.lookupTokens],
  ['num_lookup_hits', 'Tokens found by lookups.', ({totals}) => totals.lookupHits],
  ['lookup_0_hit_requests', 'Lookups that found nothing.', ({totals}) => totals.lookupsWithoutHit],
  ['num_remote_read_requests', 'Chunks asked of the remote tier.', ({remote}) => remote?.readRequests ?? 0],
  ['num_remote_read_bytes', 'Bytes read from the remote tier.', ({remote}) => remote?.readBytes ?? 0],
  [
    'num_remote_write_requests',
    'Chunks written to the remote tier.',
    ({remote}) => remote?.writeRequests ?? 0,
  ],
  ['num_remote_write_bytes', 'Bytes written to the remote tier.', ({remote}) => remote?.writeBytes ?? 0],
  ['local_cpu_evict_count', 'Evictions from the CPU tier.', ({evictions}) => evictions.count],
  ['local_cpu_evict_keys_count', 'Chunks evicted from the CPU tier.', ({evictions}) => evictions.keys],
  ['local_cpu_evict_failed_count', 'Times that nothing could be evicted.', ({evictions}) => evictions.failed],
  ['forced_unpin_count', 'Chunks whose pin outlived its time.', look => look.forcedUnpins],
]

const GAUGES: readonly Figure[] = [
  [
    'retrieve_hit_rate',
    'Share of asked tokens that was loaded; 1 before the first retrieve.',
    ({totals}) => (totals.requestedTokens === 0 ? 1 : totals.hitTokens / totals.requestedTokens),
  ],
  [
    'lookup_hit_rate',
    'Share of looked-up tokens that was found; 0 before the first lookup.',
    ({totals}) => (totals.lookupTokens === 0 ? 0 : totals.lookupHits / totals.lookupTokens),
  ],
  ['local_cache_usage', 'Bytes in use in the CPU tier.', look => look.poolBytes],
  ['local_storage_usage', 'Bytes on the local disk.', ({disk}) => disk?.bytes ?? 0],
  ['active_memory_objs_count', 'Chunks in CPU memory, staging included.', look => look.poolObjects],
  ['pinned_memory_objs_count', 'Pinned chunks.', ({cpu}) => cpu.pinnedChunks],
  ['local_cpu_hot_cache_count', 'Chunks in the CPU tier.', ({cpu}) => cpu.chunks ?? 0],
  ['pin_monitor_pinned_objects_count', 'Lookups that hold chunks.', look => look.pinnedLookups],
  [
    'remote_put_task_num',
    'Chunks on their way to the remote tier.',
    ({remote}) => remote?.pendingWrites ?? 0,
  ],
  [
    'get_blocking_failed_count',
    'Reads that failed in a slower tier.',
    ({disk, remote}) => (disk?.failedReads ?? 0) + (remote?.failedReads ?? 0),
  ],
  [
    'put_failed_count',
    'Writes that failed or were dropped in a slower tier.',
    ({disk, remote}) =>
      [disk, remote].reduce((sum, tier) => sum + (tier?.failedWrites ?? 0) + (tier?.droppedWrites ?? 0), 0),
  ],
  ['lmcache_is_healthy', '1 when no tier is degraded.', look => (look.isHealthy ? 1 : 0)],
  [
    'chunk_statistics_enabled',
    '1 while chunks are counted.',
    ({statistics}) => (statistics.isCollecting ? 1 : 0),
  ],
  ['chunk_statistics_total_requests', 'Lookups counted.', ({statistics}) => statistics.requests],
  ['chunk_statistics_total_chunks', 'Chunks counted.', ({statistics}) => statistics.total],
  ['chunk_statistics_unique_chunks', 'Different chunks counted.', ({statistics}) => statistics.unique],
  [
    'chunk_statistics_reuse_rate',
    'Share of counted chunks that were seen before.',
    ({statistics: {total, unique}}) => (total === 0 ? 0 : (total - unique) / total),
  ],
]

const TASK_COUNTS = [
  ['total', ''],
  ['running', ', running'],
  ['active', ', run lately'],
] as const

/** `periodic_threads_total_count`, `periodic_threads_critical_active` and so on. */
const TASK_GAUGES: readonly Figure[] = (['all', 'critical', 'high', 'medium', 'low'] as const).flatMap(
  level =>
    TASK_COUNTS.map(([count, which]): Figure => {
      const [name, whose] =
        level === 'all' ? [`${count}_count`, ''] : [`${level}_${count}`, ` of level ${level}`]
      return [`periodic_threads_${name}`, `Periodic tasks${whose}${which}.`, ({tasks}) => tasks[level][count]]
    }),
)

/** The `lmcache:` series of a worker in this process, under the names and labels that dashboards already ask for. */
export function cacheSeries(registers: Registry[], figures: CacheFigures): {reset(): void} {
  const labels = figures.labels
  const labelNames = Object.keys(labels)
  for (const [name, help, value] of [...GAUGES, ...TASK_GAUGES]) {
    new Gauge({
      ...{name: `lmcache:${name}`, help, labelNames, registers},
      collect() {
        this.set(labels, value(figures.look()))
      },
    })
  }
  for (const [name, help, value] of COUNTERS) {
    new Counter({
      ...{name: `lmcache:${name}_total`, help, labelNames, registers},
      collect() {
        this.reset()
        this.inc(labels, value(figures.look()))
      },
    })
  }
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({name: `lmcache:${name}`, help, labelNames, buckets, registers})
  const toStore = histogram('time_to_store', 'Seconds of a store.', SECONDS)
  const storeSpeed = histogram('store_speed', 'Tokens a second of a store.', TOKENS_PER_SECOND)
  const toRetrieve = histogram('time_to_retrieve', 'Seconds of a retrieve.', SECONDS)
  const retrieveSpeed = histogram('retrieve_speed', 'Tokens a second of a retrieve.', TOKENS_PER_SECOND)
  const hitRate = histogram('request_cache_hit_rate', 'Share of a retrieve that was loaded.', SHARES)
  const toLookup = histogram('time_to_lookup', 'Seconds of a lookup.', LOOKUP_SECONDS)
  const storeHash = histogram('store_process_tokens_time', 'Seconds of hashing for a store.', LOOKUP_SECONDS)
  const storeGather = histogram(
    'store_from_gpu_time',
    'Seconds of reading pages for a store.',
    LOOKUP_SECONDS,
  )
  const storePut = histogram('store_put_time', 'Seconds of giving a store to the tiers.', LOOKUP_SECONDS)
  const retrieveHash = histogram(
    'retrieve_process_tokens_time',
    'Seconds of hashing for a retrieve.',
    LOOKUP_SECONDS,
  )
  const retrieveScatter = histogram(
    'retrieve_to_gpu_time',
    'Seconds of writing pages for a retrieve.',
    LOOKUP_SECONDS,
  )
  figures.observe({
    stored(seconds, tokens, {hashSeconds, gatherSeconds, putSeconds}) {
      storeHash.observe(labels, hashSeconds)
      storeGather.observe(labels, gatherSeconds)
      storePut.observe(labels, putSeconds)
      toStore.observe(labels, seconds)
      if (tokens > 0 && seconds > 0) storeSpeed.observe(labels, tokens / seconds)
    },
    retrieved(seconds, tokens, hitShare, parts) {
      if (parts !== null) {
        retrieveHash.observe(labels, parts.hashSeconds)
        retrieveScatter.observe(labels, parts.scatterSeconds)
      }
      toRetrieve.observe(labels, seconds)
      hitRate.observe(labels, hitShare)
      if (tokens > 0 && seconds > 0) retrieveSpeed.observe(labels, tokens / seconds)
    },
    lookedUp(seconds) {
      toLookup.observe(labels, seconds)
    },
  })
  return {
    reset() {
      figures.reset()
      for (const one of [toStore, storeSpeed, toRetrieve, retrieveSpeed, hitRate, toLookup]) one.reset()
      for (const one of [storeHash, storeGather, storePut, retrieveHash, retrieveScatter]) one.reset()
    },
  }
}
