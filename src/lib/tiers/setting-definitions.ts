import {HASH_ALGORITHMS} from './core/hash/chunk-hasher.js'
import {EVICTION_POLICIES} from './core/eviction/eviction-policy.js'
import {STATISTICS_STRATEGIES} from './chunk-statistics.js'

export type SettingValue =
  string | number | boolean | null | readonly (string | number)[] | Readonly<Record<string, unknown>>

export type SettingKind = 'integer' | 'decimal' | 'boolean' | 'text' | 'texts' | 'integers' | 'object'

export interface SettingDefinition {
  readonly kind: SettingKind
  readonly default: SettingValue
  /** False where a running worker cannot follow: what it decides is in every key, or in the listener. */
  readonly isMutable?: false
  readonly choices?: readonly string[]
}

const integer = (value: number | null): SettingDefinition => ({kind: 'integer', default: value})
const decimal = (value: number | null): SettingDefinition => ({kind: 'decimal', default: value})
const boolean = (value: boolean): SettingDefinition => ({kind: 'boolean', default: value})
const text = (value: string | null, choices?: readonly string[]): SettingDefinition => ({
  kind: 'text',
  default: value,
  ...(choices && {choices}),
})
const texts = (): SettingDefinition => ({kind: 'texts', default: null})
const fixed = (definition: SettingDefinition): SettingDefinition => ({...definition, isMutable: false})

/** Every key of LMCache's engine configuration. @see LMCache/LMCache:lmcache/v1/config.py — _CONFIG_DEFINITIONS */
export const SETTING_DEFINITIONS = {
  chunk_size: fixed(integer(256)),
  local_cpu: boolean(true),
  max_local_cpu_size: decimal(5),
  reserve_local_cpu_size: decimal(0),
  local_cpu_use_hugepages: boolean(false),
  local_disk: text(null),
  local_disk_path_sharding: text('by_gpu'),
  max_local_disk_size: decimal(0),
  remote_url: text(null),
  remote_serde: text('naive'),
  use_layerwise: boolean(false),
  save_decode_cache: boolean(false),
  save_unfull_chunk: boolean(false),
  pre_caching_hash_algorithm: fixed(text('builtin', HASH_ALGORITHMS)),
  cache_policy: text('LRU', EVICTION_POLICIES),
  retrieve_locations: texts(),
  store_location: text(null),
  blocking_timeout_secs: integer(10),
  min_retrieve_tokens: integer(0),
  enable_async_loading: boolean(false),
  lookup_timeout_ms: integer(3000),
  hit_miss_ratio: decimal(null),
  enable_scheduler_bypass_lookup: boolean(false),
  pin_timeout_sec: integer(300),
  pin_check_interval_sec: integer(30),
  priority_limit: integer(null),
  enable_controller: boolean(false),
  lmcache_instance_id: text(null),
  controller_pull_url: text(null),
  controller_reply_url: text(null),
  lmcache_worker_ports: {kind: 'integers', default: null},
  enable_p2p: boolean(false),
  enable_pd: boolean(false),
  enable_blending: boolean(false),
  enable_kv_events: boolean(false),
  numa_mode: text(null),
  gds_path: text(null),
  py_enable_gc: boolean(true),
  internal_api_server_enabled: boolean(false),
  internal_api_server_host: fixed(text('127.0.0.1')),
  internal_api_server_port_start: fixed(integer(6999)),
  internal_api_server_include_index_list: fixed({kind: 'integers', default: null}),
  internal_api_server_socket_path_prefix: fixed(text(null)),
  script_allowed_imports: texts(),
  enable_chunk_statistics: boolean(false),
  chunk_statistics_strategy: text('memory_bloom_filter', STATISTICS_STRATEGIES),
  chunk_statistics_auto_start_statistics: boolean(false),
  chunk_statistics_auto_exit_timeout_hours: decimal(0),
  chunk_statistics_auto_exit_target_unique_chunks: integer(0),
  remote_config_url: text(null),
  app_id: text(null),
  runtime_plugin_locations: texts(),
  storage_plugins: texts(),
  extra_config: {kind: 'object', default: null},
} as const satisfies Readonly<Record<string, SettingDefinition>>

/** Keys of `extra_config` that count here, each with what holds where it is absent. */
export const EXTRA_DEFAULTS: {
  readonly base_path: string
  readonly use_odirect: boolean
  readonly save_chunk_meta: boolean
  readonly redis_service_name: string
  readonly remote_ttl_seconds: number
  readonly fs_connector_relative_tmp_dir: string
  readonly fs_connector_use_odirect: boolean
  readonly chunk_statistics_mem_bf_expected_chunks: number
  readonly chunk_statistics_mem_bf_false_positive_rate: number
  readonly chunk_statistics_file_output_dir: string
  readonly chunk_statistics_file_rotation_size: number
  readonly chunk_statistics_file_max_count: number
  readonly chunk_statistics_async_queue_capacity: number
} = {
  base_path: '',
  use_odirect: false,
  save_chunk_meta: true,
  redis_service_name: 'redismaster',
  remote_ttl_seconds: 0,
  fs_connector_relative_tmp_dir: '',
  fs_connector_use_odirect: false,
  chunk_statistics_mem_bf_expected_chunks: 20_000_000,
  chunk_statistics_mem_bf_false_positive_rate: 0.01,
  chunk_statistics_file_output_dir: '/tmp/lmcache_chunk_statistics',
  chunk_statistics_file_rotation_size: 104_857_600,
  chunk_statistics_file_max_count: 100,
  chunk_statistics_async_queue_capacity: 100_000,
}

/** Keys that are read and shown, and change nothing here; the listener's are flags of `kvctl serve` and `kvctl engine`. */
export const INERT_SETTINGS = [
  'reserve_local_cpu_size',
  'local_cpu_use_hugepages',
  'local_disk_path_sharding',
  'use_layerwise',
  'enable_async_loading',
  'lookup_timeout_ms',
  'hit_miss_ratio',
  'enable_scheduler_bypass_lookup',
  'priority_limit',
  'enable_controller',
  'lmcache_instance_id',
  'controller_pull_url',
  'controller_reply_url',
  'lmcache_worker_ports',
  'enable_p2p',
  'enable_pd',
  'enable_blending',
  'enable_kv_events',
  'numa_mode',
  'gds_path',
  'py_enable_gc',
  'internal_api_server_enabled',
  'internal_api_server_host',
  'internal_api_server_port_start',
  'internal_api_server_include_index_list',
  'internal_api_server_socket_path_prefix',
  'script_allowed_imports',
  'remote_config_url',
  'app_id',
  'runtime_plugin_locations',
  'storage_plugins',
] as const satisfies readonly SettingName[]

export type SettingName = keyof typeof SETTING_DEFINITIONS

export const SETTING_NAMES = Object.keys(SETTING_DEFINITIONS) as SettingName[]

/** Older names. */
export const SETTING_ALIASES: Readonly<Record<string, SettingName>> = {
  controller_url: 'controller_pull_url',
  lmcache_worker_port: 'lmcache_worker_ports',
  plugin_locations: 'runtime_plugin_locations',
  external_backends: 'storage_plugins',
}

export function definitionOf(name: string): SettingDefinition | null {
  return Object.hasOwn(SETTING_DEFINITIONS, name) ? SETTING_DEFINITIONS[name as SettingName] : null
}
