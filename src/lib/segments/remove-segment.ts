import {ResourceError} from '../foundation/index.js'
import type {SegmentStore} from './store.js'

/**
 * Removes a segment that no engine uses, or any if forced.
 *
 * @returns its name
 * @throws ResourceError `SEGMENT_LIVE`: an engine whose segment is removed makes a new one with a limit of 0
 */
export async function removeSegment(
  store: SegmentStore,
  given: string,
  {isForced, signal}: {readonly isForced: boolean; readonly signal: AbortSignal},
): Promise<string> {
  const {name} = await store.read(given)
  if (!isForced) {
    const {verdict, because} = await store.probe(name, signal)
    if (verdict !== 'stale') {
      throw new ResourceError('SEGMENT_LIVE', `segment '${name}' may have a living engine: ${because}`, {
        suggestions: [`kvctl delete ${name} --force`],
      })
    }
  }
  store.remove(name)
  return name
}
