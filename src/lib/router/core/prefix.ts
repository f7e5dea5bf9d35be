/** Characters a block: some 64 tokens, four blocks of vLLM's default. */
const BLOCK_CHARS = 256
const MAX_BLOCKS = 512

/**
 * Pure: one number for each whole block of a text, which also stands for all blocks before it, so that two texts share the
 * first k numbers exactly when they share their first k blocks (but for collisions of 53 bits).
 */
export function prefixHashes(text: string): number[] {
  const hashes: number[] = []
  let [low, high] = [0x9e3779b9, 0x85ebca6b]
  const blocks = Math.min(MAX_BLOCKS, Math.floor(text.length / BLOCK_CHARS))
  for (let block = 0; block < blocks; block++) {
    for (let at = block * BLOCK_CHARS; at < (block + 1) * BLOCK_CHARS; at++) {
      const code = text.charCodeAt(at)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ (code + (low >>> 15)), 0x27d4eb2f)
    }
    hashes.push((high >>> 11) * 0x1_0000_0000 + (low >>> 0))
  }
  return hashes
}

/** Which prefixes an engine has probably cached: those it was sent, the least recently used forgotten first. */
export class PrefixIndex {
  readonly #blocks = new Set<number>()
  readonly #maxBlocks: number

  constructor(maxBlocks: number) {
    this.#maxBlocks = maxBlocks
  }

  /** Blocks at the start that are there. */
  match(hashes: readonly number[]): number {
    let matched = 0
    while (matched < hashes.length && this.#blocks.has(hashes[matched]!)) matched++
    return matched
  }

  add(hashes: readonly number[]): void {
    // From the end, so that of one text the last block is forgotten first: without its start it is worth nothing.
    for (let at = hashes.length - 1; at >= 0; at--) {
      this.#blocks.delete(hashes[at]!)
      this.#blocks.add(hashes[at]!)
    }
    for (const oldest of this.#blocks) {
      if (this.#blocks.size <= this.#maxBlocks) break
      this.#blocks.delete(oldest)
    }
  }

  clear(): void {
    this.#blocks.clear()
  }
}
