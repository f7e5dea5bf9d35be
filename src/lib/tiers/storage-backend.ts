import type {MemoryObject} from './cpu-pool.js'

/** A chunk as the tiers name it. */
export interface ChunkKey {
  /** As LMCache writes keys: the name in every tier. */
  readonly text: string
  /** The hash in it. */
  readonly hash: string
  readonly tokens: number
}

/** What a tier holds and how it does. */
export interface TierFigures {
  readonly chunks: number | null
  /** Physical; null where nobody but the server knows. */
  readonly bytes: number | null
  readonly capacityBytes: number | null
  readonly pinnedChunks: number
  /** Chunks on their way. */
  readonly pendingWrites: number
  readonly droppedWrites: number
  readonly failedWrites: number
  readonly failedReads: number
  /** Chunks that were there and not believed. */
  readonly refusedReads: number
  readonly readRequests: number
  readonly readBytes: number
  readonly writeRequests: number
  readonly writeBytes: number
  readonly evictedChunks: number
  /** Why it is left out for the moment; null when it works. */
  readonly degraded: string | null
}

export interface Cleared {
  readonly chunks: number
  readonly tokens: number
  readonly pinnedChunks: number
}

/** One tier. Nothing here throws because of the medium: what cannot be read is a miss, what cannot be written is dropped. */
export interface StorageBackend {
  readonly name: string
  readonly figures: TierFigures
  /** Whether it is known to hold the chunk, without asking anybody. */
  knows(key: ChunkKey): boolean
  /** How many of `keys`, from the first one on, it holds. */
  countPrefix(keys: readonly ChunkKey[]): Promise<number>
  /** Chunks in the order of their keys, each held once for the caller, until one is missing. */
  load(keys: readonly ChunkKey[]): AsyncIterable<MemoryObject>
  /** Takes a chunk, now or in the background; the object stays the caller's. @returns whether it was accepted or is there */
  put(key: ChunkKey, object: MemoryObject): boolean
  /** These were used, in this order. */
  touch(keys: readonly ChunkKey[]): void
  pin(keys: readonly ChunkKey[]): void
  unpin(keys: readonly ChunkKey[]): void
  /** @returns how many were there */
  remove(keys: readonly ChunkKey[]): Promise<number>
  clear(): Promise<Cleared>
  /** Resolves when what was put before is written or dropped. */
  settle(): Promise<void>
  close(): Promise<void>
}

/** The figures of a tier that has none of its own. */
export const NO_FIGURES: TierFigures = {
  chunks: null,
  bytes: null,
  capacityBytes: null,
  pinnedChunks: 0,
  pendingWrites: 0,
  droppedWrites: 0,
  failedWrites: 0,
  failedReads: 0,
  refusedReads: 0,
  readRequests: 0,
  readBytes: 0,
  writeRequests: 0,
  writeBytes: 0,
  evictedChunks: 0,
  degraded: null,
}
