import type {ChunkHash, ChunkHasher} from './hash/chunk-hasher.js'

/** A chunk of a prompt: tokens `[start, end)` and their hash, which covers everything before as well. */
export interface PlannedChunk {
  readonly start: number
  readonly end: number
  readonly hash: ChunkHash
}

/**
 * The chunks of a prompt that get a key.
 *
 * @param keepsRest whether what is left behind the last whole chunk gets one too (`save_unfull_chunk`)
 * @see LMCache/LMCache:lmcache/v1/token_database.py — process_tokens
 */
export function planChunks(
  hasher: ChunkHasher,
  tokens: ArrayLike<number>,
  chunkSize: number,
  keepsRest: boolean,
): PlannedChunk[] {
  const chunks: PlannedChunk[] = []
  let hash = hasher.start
  for (let start = 0; start < tokens.length; start += chunkSize) {
    const end = Math.min(start + chunkSize, tokens.length)
    if (end - start < chunkSize && !keepsRest) break
    hash = hasher.next(hash, tokens, start, end)
    chunks.push({start, end, hash})
  }
  return chunks
}
