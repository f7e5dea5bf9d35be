/** Physical memory by page id; one id stands for one page in every layer and buffer (`P·L·B` bytes). */
export interface PageMapper {
  /** Backs these pages with memory. @throws when memory is short; then none of them is mapped */
  map(pageIds: readonly number[]): void
  /** Gives their memory back. */
  unmap(pageIds: readonly number[]): void
  /** How many more pages this machine could back now; Infinity when it cannot tell. */
  availablePages(): number
}

/** Where a pool's limit comes from and its use goes to: kvcached's segment, or a test. Must not block. */
export interface UsagePort {
  /** Bytes of the last limit asked for, over all layers and buffers; null when none was. Zero and less are ignored. */
  limitBytes(): number | null
  /** Called whenever either figure may have changed. */
  publish(usedBytes: number, preallocatedBytes: number): void
}
