import {realpath} from 'node:fs/promises'
import {isAbsolute, join, relative, resolve} from 'node:path'
import {ConfigurationError, isSystemError, KvctlError, silentLogger} from '../foundation/index.js'
import {CacheSettings, loadCacheSettings} from './cache-settings.js'
import {RefusedChunk} from './connectors/connector.js'
import {formatKey, parseKey} from './core/cache-key.js'
import {layoutBytes, type ChunkLayout} from './core/memory-format.js'
import type {MemoryObject} from './cpu-pool.js'
import type {EmbeddedWorker} from './embedded-worker.js'
import {fsFoldersOf, openFsConnector} from './open-tiers.js'

export interface LoadFsChunksRequest {
  readonly configPath: string
  /** null or 0 is all. */
  readonly maxChunks: number | null
  readonly maxFailedKeys: number
}

export interface LoadedFsChunks {
  readonly loadedChunks: number
  /** Before `maxChunks`. */
  readonly totalFiles: number
  readonly failedKeys: readonly string[]
}

/** A file that may not be read or is no configuration. */
export class FsConfigRefused extends KvctlError {
  readonly exitCode = 2

  constructor(message: string) {
    super('CACHE_CONFIG_INVALID', message)
  }
}

/**
 * Loads chunk files of the FS connector that a configuration names into the CPU tier, as far as they are chunks of this
 * worker's shape.
 *
 * @throws FsConfigRefused
 * @see LMCache/LMCache:lmcache/v1/internal_api_server/vllm/load_fs_chunks_api.py
 */
export async function loadFsChunks(
  worker: EmbeddedWorker,
  request: LoadFsChunksRequest,
): Promise<LoadedFsChunks> {
  const folders = await foldersOf(worker, request.configPath)
  const connector = await openFsConnector({...worker.site, settings: folders.settings}, folders.paths)
  const names: string[] = []
  for await (const text of connector.list('')) names.push(text)
  const some =
    request.maxChunks === null || request.maxChunks === 0 ? names : names.slice(0, request.maxChunks)
  const failedKeys: string[] = []
  let loadedChunks = 0
  for (const text of some) {
    const key = parseKey(text)!
    // Whatever it was called, it is found under today's name.
    const name = formatKey({...key, generation: 3, dtype: key.dtype ?? worker.kv.shape.dtype})
    let tokens = 0
    const readInto = async (layout: ChunkLayout): Promise<MemoryObject | null> => {
      tokens = tokensIn(worker, layout)
      return worker.store.cpu.allocatePatiently(layout)
    }
    try {
      const object = await connector.get({text, hash: key.hash, tokens: worker.chunkTokens}, readInto)
      if (object === null) throw new RefusedChunk('there is no memory for it')
      worker.store.cpu.put({text: name, hash: key.hash, tokens}, object)
      object.release()
      loadedChunks++
    } catch (error) {
      worker.logger.warn(`${text} was not loaded: ${error instanceof Error ? error.message : String(error)}`)
      failedKeys.push(text)
    }
  }
  await connector.close()
  return {loadedChunks, totalFiles: names.length, failedKeys: failedKeys.slice(0, request.maxFailedKeys)}
}

/** @throws RefusedChunk for chunks of another model's shape */
function tokensIn({site, chunkTokens}: EmbeddedWorker, layout: ChunkLayout): number {
  const tokens = layout.tensors[0]?.shape[2] ?? 0
  const expected = site.layoutOf(tokens)
  const isOurs =
    tokens <= chunkTokens &&
    JSON.stringify(expected) === JSON.stringify(layout) &&
    layoutBytes(expected) === layoutBytes(layout)
  if (!isOurs) throw new RefusedChunk(`it is ${JSON.stringify(layout)}, no chunk of this worker`)
  return tokens
}

/** The folders that the configuration at `path` names: `remote_url: fs://…`, or `base_path`. */
async function foldersOf(
  worker: EmbeddedWorker,
  path: string,
): Promise<{readonly settings: CacheSettings; readonly paths: readonly string[]}> {
  const file = await allowed(worker, path, 'Configuration file')
  let settings: CacheSettings
  try {
    settings = await loadCacheSettings(file, {}, silentLogger)
  } catch (error) {
    if (error instanceof ConfigurationError)
      throw new FsConfigRefused(`Invalid configuration file: ${error.message}`)
    throw error
  }
  const url = settings.text('remote_url')
  const base = settings.extra('base_path')
  if (url === null && base === '')
    throw new FsConfigRefused('Invalid configuration file: it has no remote_url')
  if (url !== null && !url.startsWith('fs://'))
    throw new FsConfigRefused(`remote_url ${url} is not an FSConnector's`)
  let folders: string[]
  try {
    folders = url === null ? [base] : fsFoldersOf(url)
  } catch (error) {
    throw new FsConfigRefused((error as Error).message)
  }
  return {settings, paths: await Promise.all(folders.map(async folder => allowed(worker, folder, 'Folder')))}
}

/** The real path of what `path` names, if it lies below a folder that may be read. */
async function allowed({allowedPaths}: EmbeddedWorker, path: string, what: string): Promise<string> {
  let real: string
  try {
    real = await realpath(resolve(path))
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw new FsConfigRefused(`${what} not found`)
    throw error
  }
  for (const folder of [process.cwd(), ...allowedPaths]) {
    const below = relative(await realpath(folder).catch(() => join(folder)), real)
    if (!below.startsWith('..') && !isAbsolute(below)) return real
  }
  throw new FsConfigRefused(`${what} is not below a folder that may be read (--allow-path)`)
}
