import type {Logger} from '../foundation/index.js'
import {RefusedChunk, type Connector} from './connectors/connector.js'
import {parseKey} from './core/cache-key.js'
import type {ChunkLayout} from './core/memory-format.js'
import type {MemoryObject} from './cpu-pool.js'
import {readAhead} from './read-ahead.js'
import {
  NO_FIGURES,
  type ChunkKey,
  type Cleared,
  type StorageBackend,
  type TierFigures,
} from './storage-backend.js'
import {TierHealth} from './tier-health.js'
import {WriteQueue} from './write-queue.js'

export interface RemoteBackendOptions {
  readonly connector: Connector
  /** What keys of this worker begin with: it clears no others. */
  readonly ownPrefix: string
  readonly layoutOf: (key: ChunkKey) => ChunkLayout
  readonly tokensOf: (layout: ChunkLayout) => number
  readonly allocate: (layout: ChunkLayout) => Promise<MemoryObject | null>
  readonly timeoutMs: number
  readonly retryMs: number
  readonly logger: Logger
}

const QUEUE = {maxChunks: 4096, maxBytes: 2 ** 30, concurrency: 8}
const LOOK_AT_ONCE = 1024

/**
 * A tier behind a connector: a file system, Redis or Valkey. What fails is a miss, and leaves the tier out until it answers.
 *
 * @see LMCache/LMCache:lmcache/v1/storage_backend/remote_backend.py
 */
export class RemoteBackend implements StorageBackend {
  readonly name = 'RemoteBackend'
  readonly #options: RemoteBackendOptions
  readonly #health: TierHealth
  readonly #queue: WriteQueue
  #counts = {
    ...{droppedWrites: 0, failedWrites: 0, failedReads: 0, refusedReads: 0},
    ...{readRequests: 0, readBytes: 0, writeRequests: 0, writeBytes: 0},
  }

  constructor(options: RemoteBackendOptions) {
    this.#options = options
    const {connector} = options
    const probe = async (): Promise<void> => this.#inTime(connector.ping())
    this.#health = new TierHealth({...options, tier: this.name, probe})
    this.#queue = new WriteQueue({...QUEUE, write: async (key, object) => this.#write(key, object)})
  }

  get figures(): TierFigures {
    return {
      ...NO_FIGURES,
      ...this.#counts,
      pendingWrites: this.#queue.length,
      degraded: this.#health.degraded,
    }
  }

  knows(key: ChunkKey): boolean {
    return this.#queue.has(key)
  }

  async countPrefix(keys: readonly ChunkKey[]): Promise<number> {
    let count = 0
    for (let at = 0; at < keys.length; at += LOOK_AT_ONCE) {
      const some = keys.slice(at, at + LOOK_AT_ONCE)
      const found = (await this.#try('failedReads', async () => this.#options.connector.has(some))) ?? []
      const missing = found.indexOf(false)
      count += missing < 0 ? found.length : missing
      if (found.length < some.length || missing >= 0) break
    }
    return count
  }

  load(keys: readonly ChunkKey[]): AsyncIterable<MemoryObject> {
    return readAhead(keys, async key => this.#read(key))
  }

  put(key: ChunkKey, object: MemoryObject): boolean {
    if (this.#health.degraded === null && this.#queue.push(key, object)) return true
    this.#counts.droppedWrites++
    return false
  }

  touch(): void {
    // The server keeps its own order.
  }

  pin(): void {
    // Nothing can be pinned there.
  }

  unpin(): void {
    // Nothing can be pinned there.
  }

  async remove(keys: readonly ChunkKey[]): Promise<number> {
    let removed = 0
    for (const key of keys)
      if ((await this.#try('failedWrites', async () => this.#options.connector.remove(key))) === true)
        removed++
    return removed
  }

  async clear(): Promise<Cleared> {
    await this.#queue.settle()
    const {connector, ownPrefix} = this.#options
    const chunkTokens = this.#options.tokensOf(this.#options.layoutOf({text: '', hash: '', tokens: 0}))
    let chunks = 0
    await this.#try(
      'failedWrites',
      async () => {
        for await (const text of connector.list(ownPrefix)) {
          const hash = parseKey(text)?.hash
          if (hash !== undefined && (await connector.remove({text, hash, tokens: 0}))) chunks++
        }
      },
      // As long as there are chunks.
      Infinity,
    )
    return {chunks, tokens: chunks * chunkTokens, pinnedChunks: 0}
  }

  async settle(): Promise<void> {
    await this.#queue.settle()
  }

  async close(): Promise<void> {
    await this.#queue.settle()
    this.#health.close()
    await this.#options.connector.close()
  }

  async #read(key: ChunkKey): Promise<MemoryObject | null> {
    const {connector, allocate, layoutOf} = this.#options
    this.#counts.readRequests++
    const expected = layoutOf(key)
    let isLate = false
    const object = await this.#try('failedReads', async () => {
      const read = await connector.get(key, async layout => {
        if (!isSame(layout, expected)) {
          throw new RefusedChunk(`${key.text} is ${describe(layout)}, not ${describe(expected)}`)
        }
        return allocate(layout)
      })
      // Nobody waits for it any more.
      if (isLate) read?.release()
      return read
    })
    isLate = true
    if (object === null) return null
    this.#counts.readBytes += object.bytes.length
    return object
  }

  async #write(key: ChunkKey, object: MemoryObject): Promise<void> {
    const {connector} = this.#options
    await this.#try('failedWrites', async () => {
      const [isThere] = await connector.has([key])
      if (isThere === true) return
      await connector.put(key, object)
      this.#counts.writeRequests++
      this.#counts.writeBytes += object.bytes.length
    })
  }

  /** What `ask` gives; null when it failed, or the tier is left out. */
  async #try<T>(
    count: 'failedReads' | 'failedWrites',
    ask: () => Promise<T>,
    timeoutMs = this.#options.timeoutMs,
  ): Promise<T | null> {
    if (this.#health.degraded !== null) return null
    try {
      return await this.#inTime(ask(), timeoutMs)
    } catch (error) {
      if (error instanceof RefusedChunk) {
        this.#options.logger.warn(`refused: ${error.message}`)
        this.#counts.refusedReads++
      } else {
        this.#counts[count]++
        this.#health.failed(error)
      }
      return null
    }
  }

  async #inTime<T>(answer: Promise<T>, timeoutMs = this.#options.timeoutMs): Promise<T> {
    if (timeoutMs === Infinity) return answer
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

function isSame(a: ChunkLayout, b: ChunkLayout): boolean {
  return describe(a) === describe(b)
}

function describe({format, tensors}: ChunkLayout): string {
  return `${format} ${tensors.map(({dtype, shape}) => `${dtype} ${shape.join('×')}`).join(', ')}`
}
