import {ResourceError} from '../foundation/index.js'
import {readMeta, type RunDirectory, type RunMeta} from '../runs/index.js'

/** Null for a directory of another tool that has none. */
export async function readMetaIfAny(run: RunDirectory): Promise<RunMeta | null> {
  try {
    return await readMeta(run)
  } catch (error) {
    if (error instanceof ResourceError) return null
    throw error
  }
}

/** Unix milliseconds of the run's origin; null where the file does not say. */
export function originOf({origin_epoch_ms: origin, test_start_time: startSeconds}: RunMeta): number | null {
  return origin ?? (startSeconds === null ? null : startSeconds * 1000)
}
