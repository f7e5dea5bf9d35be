import {createTicker, ResourceError, type Ticker} from '../foundation/index.js'
import type {OwnedLook, SegmentLook} from './segment-look.js'
import type {SegmentStore} from './store.js'

/** The segments asked for, at one moment. */
export interface SegmentsLook {
  readonly looks: readonly OwnedLook[]
  /** Asked for by name, and why there is no look: not there, not a segment, not permitted. */
  readonly missing: readonly {readonly name: string; readonly reason: ResourceError}[]
}

/** @param names in their order, doubles included; none means every segment, sorted by name */
export async function lookAtSegments(store: SegmentStore, names: readonly string[]): Promise<SegmentsLook> {
  const own = (look: SegmentLook): OwnedLook => ({...look, state: store.state(look)})
  if (names.length === 0) return {looks: (await store.list()).map(own), missing: []}
  const missing: {name: string; reason: ResourceError}[] = []
  const looks: OwnedLook[] = []
  for (const name of names) {
    try {
      looks.push(own(await store.read(name)))
    } catch (error) {
      if (!(error instanceof ResourceError)) throw error
      missing.push({name, reason: error})
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
