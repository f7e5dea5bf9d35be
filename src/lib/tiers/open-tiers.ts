import {join} from 'node:path'
import {ConfigurationError, type Logger} from '../foundation/index.js'
import type {CacheSettings} from './cache-settings.js'
import type {ChunkFiles} from './chunk-files.js'
import type {Connector} from './connectors/connector.js'
import {FsConnector} from './connectors/fs-connector.js'
import type {EvictionPolicyName} from './core/eviction/eviction-policy.js'
import {diskFileName} from './core/file-names.js'
import type {ChunkLayout} from './core/memory-format.js'
import type {LocalCpuBackend} from './local-cpu-backend.js'
import {LocalDiskBackend} from './local-disk-backend.js'
import {RemoteBackend} from './remote-backend.js'
import type {ChunkKey, StorageBackend} from './storage-backend.js'

const GIB = 2 ** 30

/** What tiers need to know of the worker whose chunks they hold. */
export interface TierSite {
  readonly settings: CacheSettings
  readonly cpu: LocalCpuBackend
  readonly workerId: number
  /** `model@world size@worker@`. */
  readonly ownPrefix: string
  readonly ownDtype: string
  /** The layout of a chunk of so many tokens; 0 is a whole chunk. */
  readonly layoutOf: (tokens: number) => ChunkLayout
  readonly chunkTokens: number
  readonly files: ChunkFiles
  readonly retryMs: number
  readonly logger: Logger
}

/** Opens the tiers that the settings ask for and that are not among `present`. @throws ConfigurationError, system errors */
export async function openTiers(site: TierSite, present: readonly string[] = []): Promise<StorageBackend[]> {
  const opened: StorageBackend[] = []
  const {settings} = site
  const disk = settings.text('local_disk')
  if (disk !== null && settings.number('max_local_disk_size') > 0 && !present.includes('LocalDiskBackend'))
    opened.push(await openDisk(site, disk))
  const url = settings.text('remote_url')
  if (url !== null && !present.includes('RemoteBackend')) opened.push(await openRemote(site, url))
  return opened
}

async function openDisk(site: TierSite, paths: string): Promise<StorageBackend> {
  const {settings, cpu, workerId, ownPrefix, ownDtype, layoutOf, chunkTokens, files, retryMs, logger} = site
  const folders = paths.split(',').map(path => path.trim().replace(/^file:\/\//, ''))
  const ownFile = diskFileName(ownPrefix).slice(0, -'.pt'.length)
  return LocalDiskBackend.open({
    folder: folders[workerId % folders.length]!,
    capacityBytes: settings.number('max_local_disk_size') * GIB,
    policy: (settings.text('cache_policy') ?? 'LRU') as EvictionPolicyName,
    workerId,
    files,
    isDirect: settings.extra('use_odirect'),
    allocate: async layout => cpu.allocatePatiently(layout),
    // Upstream's own file of a whole chunk of ours: its name tells all but the length, and that is checked.
    adopt: name => {
      const [, hash] =
        /^(-?[0-9a-f]+)@(?:\w+)\.pt$/.exec(name.startsWith(ownFile) ? name.slice(ownFile.length) : '') ?? []
      if (hash === undefined || name !== `${ownFile}${hash}@${ownDtype}.pt`) return null
      return {
        key: {text: `${ownPrefix}${hash}@${ownDtype}`, hash, tokens: chunkTokens},
        layout: layoutOf(chunkTokens),
      }
    },
    logger,
    retryMs,
  })
}

async function openRemote(site: TierSite, url: string): Promise<StorageBackend> {
  const {settings, cpu, ownPrefix, retryMs, logger} = site
  const layoutOf = layoutOfKey(site)
  return new RemoteBackend({
    connector: await openConnector(site, url),
    ownPrefix,
    layoutOf,
    tokensOf: layout => layout.tensors[0]?.shape[2] ?? 0,
    allocate: async layout => cpu.allocatePatiently(layout),
    timeoutMs: settings.number('blocking_timeout_secs') * 1000,
    retryMs,
    logger,
  })
}

/** @throws ConfigurationError `REMOTE_URL_INVALID` */
async function openConnector(site: TierSite, url: string): Promise<Connector> {
  const {settings} = site
  if (settings.text('remote_serde') !== 'naive') {
    throw new ConfigurationError(
      'CACHE_CONFIG_INVALID',
      `remote_serde '${settings.text('remote_serde') ?? ''}' cannot be read or written; naive can`,
    )
  }
  if (url.startsWith('fs://')) return openFsConnector(site, fsFoldersOf(url))
  const {openRedisLink} = await import('./connectors/redis-link.js')
  const {RedisConnector, ValkeyConnector} = await import('./connectors/redis-connector.js')
  const link = await openRedisLink({
    url,
    timeoutMs: settings.number('blocking_timeout_secs') * 1000,
    serviceName: settings.extra('redis_service_name'),
  })
  const ttl = settings.extra('remote_ttl_seconds')
  const ttlSeconds = ttl > 0 ? ttl : null
  return /^(valkey|resp)/.test(url)
    ? new ValkeyConnector(link, ttlSeconds, layoutOfKey(site))
    : new RedisConnector(link, ttlSeconds)
}

/** The connector on folders, which it makes. */
export async function openFsConnector(site: TierSite, folders: readonly string[]): Promise<Connector> {
  const {settings, files, logger} = site
  const temporary = settings.extra('fs_connector_relative_tmp_dir')
  for (const folder of folders) await files.makeFolder(join(folder, temporary))
  return new FsConnector({
    folders,
    temporaryFolder: temporary === '' ? null : temporary,
    hasHeader: settings.extra('save_chunk_meta'),
    layoutOf: layoutOfKey(site),
    files,
    isDirect: settings.extra('fs_connector_use_odirect'),
    logger,
  })
}

/** The folders of `fs://host:port/path,…`: the host is for the form alone. @throws ConfigurationError `REMOTE_URL_INVALID` */
export function fsFoldersOf(url: string): string[] {
  const [, paths] = /^fs:\/\/[^/]*(\/.+)$/.exec(url) ?? []
  if (paths === undefined)
    throw new ConfigurationError('REMOTE_URL_INVALID', `'${url}' is not fs://HOST:PORT/ABSOLUTE/PATH`)
  return paths.split(',').map(path => path.trim())
}

function layoutOfKey({layoutOf, chunkTokens}: TierSite): (key: ChunkKey) => ChunkLayout {
  return ({tokens}) => layoutOf(tokens === 0 ? chunkTokens : tokens)
}
