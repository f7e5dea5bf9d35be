import type {Clock} from '../lib/foundation/index.js'

/** A function whose result serves every caller for `ageMs`, callers during the call included; failures are not kept. */
export function sharedFor<T>(ageMs: number, clock: Clock, produce: () => Promise<T>): () => Promise<T> {
  let shared: Promise<T> | null = null
  let untilNs = 0
  return () => {
    if (shared !== null && clock.nowNs() < untilNs) return shared
    const call = (shared = produce())
    // Nobody waits twice for a slow call; its age counts from its end.
    untilNs = Infinity
    call.then(
      () => (untilNs = clock.nowNs() + ageMs * 1e6),
      () => (shared = null),
    )
    return call
  }
}
