import {isSystemError, type Logger} from '../foundation/index.js'
import type {ChunkFiles, FileUse, Passage} from './chunk-files.js'
import {isWholePages} from './page-memory.js'

export interface DirectFilesOptions {
  readonly files: ChunkFiles
  readonly folder: string
  /** Whether to go past the page cache at all. */
  readonly isDirect: boolean
  readonly logger: Logger
}

/**
 * Chunks of a folder, read and written past the page cache as far as their lengths and the file system allow it: what upstream's
 * `use_odirect` and `fs_connector_use_odirect` ask for. A file holds the same bytes either way.
 *
 * @see LMCache/LMCache:lmcache/v1/storage_backend/local_disk_backend.py
 */
export class DirectFiles {
  readonly #options: DirectFilesOptions
  #isDirect: boolean

  constructor(options: DirectFilesOptions) {
    this.#options = options
    this.#isDirect = options.isDirect
  }

  /** As {@link ChunkFiles.write}. */
  async write(path: string, bytes: Buffer): Promise<void> {
    await this.#pass(bytes, async passage => this.#options.files.write(path, [bytes], passage))
  }

  /** As {@link ChunkFiles.read}. @param into where all of the chunk is to be read */
  async read<T>(path: string, into: Buffer, use: FileUse<T>): Promise<T> {
    return this.#pass(into, async passage => this.#options.files.read(path, use, passage))
  }

  async #pass<T>(bytes: Buffer, work: (passage: Passage) => Promise<T>): Promise<T> {
    if (!this.#isDirect || !isWholePages(bytes)) return work('cached')
    try {
      return await work('direct')
    } catch (error) {
      if (!isSystemError(error, 'EINVAL')) throw error
      this.#refused()
      return work('cached')
    }
  }

  #refused(): void {
    // Of several that were on their way the first one tells it.
    if (!this.#isDirect) return
    this.#isDirect = false
    this.#options.logger.warn(
      `the file system of ${this.#options.folder} refuses O_DIRECT; its chunks go through the page cache`,
    )
  }
}
