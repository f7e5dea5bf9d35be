/** Which of a deployment's processes an operation concerns: every rank, the one scheduler, both, or any one. */
export type CacheAudience = 'workers' | 'scheduler' | 'all' | 'any'

interface OperationFacts {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly audience: CacheAudience
}

/**
 * LMCache's worker API, route by route, and who has to be asked: each rank owns its shard and its keys.
 *
 * @see LMCache/LMCache:docs/source/internal_api_server/vllm_apis.rst and internal_api_server.rst
 */
export const CACHE_OPERATIONS = {
  lmcVersion: {method: 'GET', path: '/lmc_version', audience: 'any'},
  commitId: {method: 'GET', path: '/commit_id', audience: 'any'},
  fullVersion: {method: 'GET', path: '/version', audience: 'any'},
  inferenceInfo: {method: 'GET', path: '/inference_info', audience: 'any'},
  inferenceVersion: {method: 'GET', path: '/inference_version', audience: 'any'},
  getConf: {method: 'GET', path: '/conf', audience: 'all'},
  setConf: {method: 'POST', path: '/conf', audience: 'all'},
  getMeta: {method: 'GET', path: '/meta', audience: 'workers'},
  clear: {method: 'DELETE', path: '/cache/clear', audience: 'workers'},
  store: {method: 'POST', path: '/cache/store', audience: 'workers'},
  retrieve: {method: 'POST', path: '/cache/retrieve', audience: 'workers'},
  check: {method: 'GET', path: '/cache/kvcache/check', audience: 'workers'},
  recordSlot: {method: 'POST', path: '/cache/kvcache/record_slot', audience: 'workers'},
  slotRecords: {method: 'GET', path: '/cache/kvcache/slot_records', audience: 'workers'},
  kvInfo: {method: 'GET', path: '/cache/kvcache/info', audience: 'workers'},
  loadFsChunks: {method: 'POST', path: '/cache/load-fs-chunks', audience: 'workers'},
  enableFreeze: {method: 'PUT', path: '/freeze/enable', audience: 'workers'},
  disableFreeze: {method: 'PUT', path: '/freeze/disable', audience: 'workers'},
  freezeStatus: {method: 'GET', path: '/freeze/status', audience: 'workers'},
  enableHotCache: {method: 'PUT', path: '/hot_cache/enable', audience: 'workers'},
  disableHotCache: {method: 'PUT', path: '/hot_cache/disable', audience: 'workers'},
  hotCacheStatus: {method: 'GET', path: '/hot_cache/status', audience: 'workers'},
  startStatistics: {method: 'POST', path: '/chunk_statistics/start', audience: 'scheduler'},
  stopStatistics: {method: 'POST', path: '/chunk_statistics/stop', audience: 'scheduler'},
  resetStatistics: {method: 'POST', path: '/chunk_statistics/reset', audience: 'scheduler'},
  statisticsStatus: {method: 'GET', path: '/chunk_statistics/status', audience: 'scheduler'},
  listBypassed: {method: 'GET', path: '/bypass/list', audience: 'workers'},
  addBypass: {method: 'PUT', path: '/bypass/add', audience: 'workers'},
  removeBypass: {method: 'PUT', path: '/bypass/remove', audience: 'workers'},
  listBackends: {method: 'GET', path: '/backends', audience: 'workers'},
  createBackends: {method: 'POST', path: '/backends', audience: 'workers'},
  closeBackend: {method: 'DELETE', path: '/backends/:name', audience: 'workers'},
  backendFigures: {method: 'GET', path: '/backends/figures', audience: 'workers'},
  logLevel: {method: 'GET', path: '/loglevel', audience: 'all'},
  lookupInfo: {method: 'GET', path: '/lookup/info', audience: 'all'},
  periodicThreads: {method: 'GET', path: '/periodic-threads', audience: 'all'},
  periodicThread: {method: 'GET', path: '/periodic-threads/:name', audience: 'all'},
  periodicThreadsHealth: {method: 'GET', path: '/periodic-threads-health', audience: 'all'},
} as const satisfies Readonly<Record<string, OperationFacts>>

export type CacheOperation = keyof typeof CACHE_OPERATIONS

export const CACHE_OPERATION_NAMES = Object.keys(CACHE_OPERATIONS) as CacheOperation[]
