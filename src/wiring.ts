import type {Logger} from './lib/foundation/index.js'
import type {SegmentStore} from './lib/segments/index.js'

/**
 * The only file that builds real parts: one async function a part, each loading what it needs on first call, so that
 * `kvctl list` never pays for the engine and nothing pays for koffi at import.
 */

/** kvcached's segments in /dev/shm, or in `KVCTL_SHM_DIR` where a sidecar mounts that folder elsewhere. */
export async function segmentStore(logger: Logger): Promise<SegmentStore> {
  const {systemClock} = await import('./lib/foundation/index.js')
  const {createMemoryStore, createSegmentStore, SEGMENT_DIRECTORY, stateFolder} =
    await import('./lib/segments/index.js')
  const {libc} = await import('./native/libc.js')
  return createSegmentStore({
    directory: process.env['KVCTL_SHM_DIR'] || SEGMENT_DIRECTORY,
    libc,
    clock: systemClock,
    logger,
    memories: createMemoryStore(stateFolder(process.env), logger),
    readPatienceMs: 250,
    lockTimeoutMs: 10_000,
  })
}
