import type {Liveness} from './liveness.js'
import type {SegmentStore} from './store.js'

/** One segment that prune looked at. */
export interface PruneFinding extends Liveness {
  readonly name: string
  /** Whether it was removed, or in a dry run would have been. */
  readonly isRemoved: boolean
}

/**
 * Removes every segment whose engine is proven dead and keeps every other one; probes all at once, for up to 1.2 s.
 *
 * @returns what was found, by name
 */
export async function pruneSegments(
  store: SegmentStore,
  {isDryRun, signal}: {readonly isDryRun: boolean; readonly signal: AbortSignal},
): Promise<PruneFinding[]> {
  const looks = await store.list()
  return Promise.all(
    looks.map(async look => {
      const liveness = await store.probe(look.name, signal)
      const isStale = liveness.verdict === 'stale'
      const isRemoved = isStale && (isDryRun || (await store.removeUnchanged(look)))
      return {name: look.name, ...liveness, isRemoved}
    }),
  )
}
