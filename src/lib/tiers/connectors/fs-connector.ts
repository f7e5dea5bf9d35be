import {join} from 'node:path'
import {isSystemError, type Logger} from '../../foundation/index.js'
import type {ChunkFiles} from '../chunk-files.js'
import {olderNames, parseKey} from '../core/cache-key.js'
import {folderOf, fsFileName, keyOfFsFile} from '../core/file-names.js'
import {layoutBytes, type ChunkLayout} from '../core/memory-format.js'
import {metadataBytes, readMetadata, writeMetadata} from '../core/remote-metadata.js'
import type {MemoryObject} from '../cpu-pool.js'
import {DirectFiles} from '../direct-files.js'
import type {ChunkKey} from '../storage-backend.js'
import {RefusedChunk, type Connector, type ReadInto} from './connector.js'

export interface FsConnectorOptions {
  readonly folders: readonly string[]
  /** Below each folder, for files that are being written; null writes beside them. */
  readonly temporaryFolder: string | null
  /** Without it (`save_chunk_meta: false`) files hold nothing but the chunk, whose layout the key's worker knows. */
  readonly hasHeader: boolean
  readonly layoutOf: (key: ChunkKey) => ChunkLayout
  readonly files: ChunkFiles
  /** Whether chunks without headers go past the page cache, where that can be; behind a header they begin within a block. */
  readonly isDirect: boolean
  readonly logger: Logger
}

/** @see LMCache/LMCache:lmcache/v1/storage_backend/connector/fs_connector.py */
export class FsConnector implements Connector {
  readonly #options: FsConnectorOptions
  /** Of each folder: they may lie on several file systems. */
  readonly #chunkFiles: ReadonlyMap<string, DirectFiles>

  constructor(options: FsConnectorOptions) {
    this.#options = options
    this.#chunkFiles = new Map(options.folders.map(folder => [folder, new DirectFiles({...options, folder})]))
  }

  async has(keys: readonly ChunkKey[]): Promise<boolean[]> {
    return Promise.all(keys.map(async key => (await this.#find(key)) !== null))
  }

  async get(key: ChunkKey, readInto: ReadInto): Promise<MemoryObject | null> {
    const path = await this.#find(key)
    if (path === null) return null
    return this.#options.hasHeader
      ? readFsChunk(this.#options, path, readInto)
      : this.#readBare(path, key, readInto)
  }

  async put(key: ChunkKey, object: MemoryObject): Promise<void> {
    const {files, temporaryFolder, hasHeader} = this.#options
    const folder = this.#folderOf(key)
    const path = join(folder, fsFileName(key.text))
    const temporary =
      temporaryFolder === null
        ? path.replace(/\.data$/, '.tmp')
        : join(folder, temporaryFolder, fsFileName(key.text))
    if (hasHeader) await files.write(temporary, [writeMetadata(object.layout), object.bytes])
    else await this.#chunkFiles.get(folder)!.write(temporary, object.bytes)
    await files.rename(temporary, path)
  }

  async remove(key: ChunkKey): Promise<boolean> {
    const path = await this.#find(key)
    if (path !== null) await this.#options.files.remove(path)
    return path !== null
  }

  async *list(prefix: string): AsyncIterable<string> {
    for (const folder of this.#options.folders) {
      for (const name of await this.#options.files.names(folder)) {
        const text = keyOfFsFile(name)?.text
        if (text?.startsWith(prefix) === true) yield text
      }
    }
  }

  /** Also makes folders that are missing. */
  async ping(): Promise<void> {
    const {files, folders, temporaryFolder} = this.#options
    for (const folder of folders) {
      await files.makeFolder(join(folder, temporaryFolder ?? '.'))
      const path = join(folder, `.kvctl-${process.pid}.probe`)
      await files.write(path, [Buffer.alloc(1)])
      await files.remove(path)
    }
  }

  async close(): Promise<void> {
    // Nothing stays open.
  }

  async #readBare(path: string, key: ChunkKey, readInto: ReadInto): Promise<MemoryObject | null> {
    const object = await readInto(this.#options.layoutOf(key))
    if (object === null) return null
    try {
      const folder = this.#chunkFiles.get(this.#folderOf(key))!
      await folder.read(path, object.bytes, async (fileBytes, read) => {
        mustHave(path, fileBytes, object.bytes.length)
        await read(object.bytes, 0)
      })
      return object
    } catch (error) {
      object.release()
      throw error
    }
  }

  /** Under today's name or an older one. */
  async #find(key: ChunkKey): Promise<string | null> {
    const parsed = parseKey(key.text)
    for (const text of [key.text, ...(parsed === null ? [] : olderNames(parsed))]) {
      const path = join(this.#folderOf(key), fsFileName(text))
      try {
        await this.#options.files.read(path, async () => null)
        return path
      } catch (error) {
        if (!isSystemError(error, 'ENOENT')) throw error
      }
    }
    return null
  }

  #folderOf({hash}: ChunkKey): string {
    const {folders} = this.#options
    return folders[folderOf(hash, folders.length)]!
  }
}

/** @throws RefusedChunk for what is no whole chunk */
async function readFsChunk(
  {files}: FsConnectorOptions,
  path: string,
  readInto: ReadInto,
): Promise<MemoryObject | null> {
  return files.read(path, async (fileBytes, read) => {
    const headBytes = metadataBytes(1)
    if (fileBytes < headBytes) throw new RefusedChunk(`${path} has ${fileBytes} bytes`)
    const head = Buffer.alloc(headBytes)
    await read(head, 0)
    const metadata = readMetadata(head)
    if ('refusal' in metadata) throw new RefusedChunk(`${path} has ${metadata.refusal}`)
    mustHave(path, fileBytes, headBytes + layoutBytes(metadata.layout))
    const object = await readInto(metadata.layout)
    if (object === null) return null
    try {
      await read(object.bytes, headBytes)
      return object
    } catch (error) {
      object.release()
      throw error
    }
  })
}

/** @throws RefusedChunk */
function mustHave(path: string, fileBytes: number, bytes: number): void {
  if (fileBytes !== bytes) throw new RefusedChunk(`${path} has ${fileBytes} bytes, not ${bytes}`)
}
