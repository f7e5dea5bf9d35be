import type {KvShape} from './core/memory-format.js'

/** One layer's buffer as `/cache/kvcache/info` shows it. */
export interface KvLayer {
  readonly name: string
  readonly shape: readonly number[]
  readonly device: string
}

/** KV bytes in pages, reached by slot: what the tiers read from and write to. A slot holds one token in every layer. */
export interface PagedKv {
  readonly shape: KvShape
  readonly slots: number
  readonly layers: readonly KvLayer[]
  /** True where a running engine alone may write: what it reads out of its pages becomes answers. */
  readonly isReadOnly?: boolean
  /** Rows of these slots in the order of a memory object: `[kv, layers, slots, heads · head size]`. */
  gather(slots: ArrayLike<number>, into: Uint8Array): void
  scatter(slots: ArrayLike<number>, from: Uint8Array): void
  /** Rows of one layer: `[kv, slots, heads · head size]`. */
  gatherLayer(layer: number, slots: ArrayLike<number>): Uint8Array
}

/** Runs of slots that follow each other, as `[first, count]`: each is one copy. */
export function runsOf(slots: ArrayLike<number>): [first: number, count: number][] {
  const runs: [number, number][] = []
  for (let at = 0; at < slots.length;) {
    let end = at + 1
    while (end < slots.length && slots[end] === slots[end - 1]! + 1) end++
    runs.push([slots[at]!, end - at])
    at = end
  }
  return runs
}
