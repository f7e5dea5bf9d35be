/** KV that outlives requests, as the engine uses it. Nothing here throws for what a medium does. */
export interface KvTiers {
  /**
   * Loads what is stored of a prompt behind its first `fromTokens` tokens, from the chunk on in which they end.
   *
   * @returns null when there is nothing
   */
  load(tokens: readonly number[], fromTokens: number): Promise<LoadedKv | null>
  /** Takes the KV of these tokens, which lies in `slots`, before it returns. @param promptTokens how many of them were asked */
  store(tokens: readonly number[], promptTokens: number, slots: readonly number[]): void
}

/** KV of tokens `[start, end)`, whole blocks, in memory of the tiers. */
export interface LoadedKv {
  readonly start: number
  readonly end: number
  copyTo(slots: readonly number[]): void
  /** Gives the memory back; to be called once. */
  release(): void
}

/** Slots of blocks, in order. */
export function slotsOf(blockIds: readonly number[], blockSize: number): number[] {
  return blockIds.flatMap(id => Array.from({length: blockSize}, (_, place) => id * blockSize + place))
}
