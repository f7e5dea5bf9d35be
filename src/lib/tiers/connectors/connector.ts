import type {ChunkLayout} from '../core/memory-format.js'
import type {MemoryObject} from '../cpu-pool.js'
import type {ChunkKey} from '../storage-backend.js'

/** A stored chunk that is not believed; the message says why. */
export class RefusedChunk extends Error {}

/** Memory for a chunk that is about to be read; null when there is none. @throws RefusedChunk when the layout is not the key's */
export type ReadInto = (layout: ChunkLayout) => Promise<MemoryObject | null>

/** How a remote tier stores chunks. Everything throws when its medium does not work. */
export interface Connector {
  /** Which chunks are there, key by key. */
  has(keys: readonly ChunkKey[]): Promise<boolean[]>
  /** @returns null when it is not there or there is no memory; @throws RefusedChunk */
  get(key: ChunkKey, readInto: ReadInto): Promise<MemoryObject | null>
  put(key: ChunkKey, object: MemoryObject): Promise<void>
  /** @returns whether it was there */
  remove(key: ChunkKey): Promise<boolean>
  /** Names of the chunks that begin with `prefix`. */
  list(prefix: string): AsyncIterable<string>
  ping(): Promise<void>
  close(): Promise<void>
}
