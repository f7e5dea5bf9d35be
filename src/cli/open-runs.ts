import type {RunDirectory, RunFile} from '../lib/runs/index.js'
import type {ReadingLine} from './reading-line.js'

/**
 * Opens run directories that stand joined by commas, and tells of their reading.
 *
 * @throws ResourceError `RUN_NOT_FOUND`
 */
export async function openRuns(
  names: string,
  reading: ReadingLine,
  files?: readonly RunFile[],
): Promise<RunDirectory[]> {
  const {openRunDirectory} = await import('../lib/runs/index.js')
  return Promise.all(
    names.split(',').map(async name => reading.watch(await openRunDirectory(name.trim()), files)),
  )
}
