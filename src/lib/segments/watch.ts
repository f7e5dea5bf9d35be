import {createTicker, type Ticker} from '../foundation/index.js'
import {SegmentNotFoundError} from './segment-file.js'
import type {SegmentLook, SegmentStore} from './store.js'

/** The segments asked for, at one moment. */
export interface SegmentsLook {
  readonly looks: readonly SegmentLook[]
  /** Asked for by name and not there. */
  readonly missing: readonly string[]
}

/** @param names in their order, doubles included; none means every segment, sorted by name */
export async function lookAtSegments(store: SegmentStore, names: readonly string[]): Promise<SegmentsLook> {
  if (names.length === 0) return {looks: await store.list(), missing: []}
  const missing: string[] = []
  const looks: SegmentLook[] = []
  for (const name of names) {
    try {
      looks.push(await store.read(name))
    } catch (error) {
      if (!(error instanceof SegmentNotFoundError)) throw error
      missing.push(error.segment)
    }
  }
  return {looks, missing}
}

/** Looks again every `intervalMs`: memory-mapped writes change no time stamp, so there is nothing to be woken by. */
export function watchSegments(
  store: SegmentStore,
  names: readonly string[],
  intervalMs: number,
  onError: (error: unknown) => void,
): Ticker<SegmentsLook> {
  return createTicker(() => lookAtSegments(store, names), intervalMs, onError)
}
