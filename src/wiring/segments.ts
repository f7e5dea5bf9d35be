import type {Logger} from '../lib/foundation/index.js'
import type {SegmentStore} from '../lib/segments/index.js'

/** kvcached's segments in /dev/shm, or in `KVCTL_SHM_DIR` where a sidecar mounts that folder elsewhere. */
export async function segmentStore(logger: Logger): Promise<SegmentStore> {
  const {systemClock} = await import('../lib/foundation/index.js')
  const {createMemoryStore, createSegmentStore, SEGMENT_DIRECTORY, stateFolder} =
    await import('../lib/segments/index.js')
  const {libc} = await import('../native/libc.js')
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

/** The name for an engine's segment when the user gave none: kvcached's rule, and never that of a segment in use. */
export async function freeSegmentName(logger: Logger): Promise<string> {
  const {defaultSegmentName, processGroupId} = await import('../lib/segments/index.js')
  const name = defaultSegmentName(process.env, processGroupId)
  if (process.env['KVCACHED_IPC_NAME']) return name
  const taken = (await (await segmentStore(logger)).list()).map(look => look.name)
  return taken.includes(name) ? `${name}_${process.pid}` : name
}
