import type {Engine} from '../lib/engine/index.js'
import type {Logger} from '../lib/foundation/index.js'
import type {CacheFigures, CacheWorker, RemoteWorkers} from '../lib/tiers/index.js'

/** The longest that a real worker's answer is waited for: stores and clears of a whole cache take their time. */
const CACHE_ANSWER_MS = 60_000

/**
 * What the cache family answers for: real workers where `urls` names some, else a worker in this process with a KV buffer of
 * its own and the tiers of its settings. `close` ends their writing.
 */
export async function cacheWorker(
  {urls, configPath, allowedPaths}: CacheSource,
  logger: Logger,
): Promise<{readonly worker: CacheWorker; readonly figures: CacheFigures | null; close(): Promise<void>}> {
  if (urls.length > 0) {
    const remote = await remoteCacheWorkers(urls, CACHE_ANSWER_MS, null)
    return {worker: remote.workers, figures: null, close: () => remote.close()}
  }
  const {packageVersion} = await import('../lib/foundation/index.js')
  const {cacheFigures, embeddedCacheWorker, EmbeddedWorker, HostPagedKv, identityOf, loadCacheSettings} =
    await import('../lib/tiers/index.js')
  const settings = await loadCacheSettings(configPath, process.env, logger)
  const identity = identityOf(settings.extraObject)
  const kv = new HostPagedKv(identity)
  const options = {settings, identity, kv, version: packageVersion, allowedPaths, logger, retryMs: 1000}
  const worker = await EmbeddedWorker.open(options)
  return {worker: embeddedCacheWorker(worker), figures: cacheFigures(worker), close: () => worker.close()}
}

/** The tiers behind an engine: from now on it loads prompts from there and stores them. `close` it after the engine. */
export async function engineCacheWorker(
  engine: Engine,
  {
    configPath,
    model,
    blockSize,
  }: {readonly configPath: string; readonly model: string; readonly blockSize: number},
  logger: Logger,
): Promise<{readonly worker: CacheWorker; readonly figures: CacheFigures; close(): Promise<void>}> {
  const {ConfigurationError, packageVersion} = await import('../lib/foundation/index.js')
  const tiers = await import('../lib/tiers/index.js')
  const settings = await tiers.loadCacheSettings(configPath, process.env, logger)
  const chunkTokens = settings.number('chunk_size')
  if (chunkTokens % blockSize !== 0) {
    throw new ConfigurationError(
      'CACHE_CONFIG_INVALID',
      `chunk_size is ${chunkTokens}, no multiple of the engine's blocks of ${blockSize} tokens`,
    )
  }
  const kv = engine.pagedKv
  const asked = tiers.identityOf(settings.extraObject, {...tiers.DEFAULT_IDENTITY, model})
  const worker = await tiers.EmbeddedWorker.open({
    ...{settings, version: packageVersion, allowedPaths: [], logger, retryMs: 1000},
    identity: {...asked, shape: kv.shape, slots: kv.slots, blockSize},
    kv: tiers.readOnlyKv(kv),
  })
  engine.attachTiers(tiers.engineTiers(worker, kv))
  return {
    worker: tiers.embeddedCacheWorker(worker),
    figures: tiers.cacheFigures(worker),
    close: () => worker.close(),
  }
}

interface CacheSource {
  readonly urls: readonly string[]
  readonly configPath: string | null
  readonly allowedPaths: readonly string[]
}

/** Clients of real cache workers. */
export async function remoteCacheWorkers(
  urls: readonly string[],
  timeoutMs: number,
  token: string | null,
): Promise<{readonly workers: RemoteWorkers; close(): Promise<void>}> {
  const {createHttpClient} = await import('../lib/http/index.js')
  const {RemoteWorkers} = await import('../lib/tiers/index.js')
  const http = createHttpClient({timeoutMs})
  return {workers: new RemoteWorkers({urls, http, timeoutMs, token}), close: () => http.close()}
}
