import type {MemoryObject} from './cpu-pool.js'
import type {ChunkKey} from './storage-backend.js'

/** Chunks that one load reads at once. */
const AT_ONCE = 8

/**
 * Chunks in the order of their keys, each as soon as it and those before it are there, while the next ones are read. A miss ends
 * it: what comes behind a hole is of no use.
 *
 * @param read gives a chunk, held for the caller, or null; must not throw
 */
export async function* readAhead(
  keys: readonly ChunkKey[],
  read: (key: ChunkKey) => Promise<MemoryObject | null>,
): AsyncGenerator<MemoryObject> {
  const [rest, coming] = [keys.values(), [] as Promise<MemoryObject | null>[]]
  const readNext = (): void => {
    const {value} = rest.next()
    if (value !== undefined) coming.push(read(value))
  }
  for (let count = 0; count < AT_ONCE; count++) readNext()
  try {
    for (let next = coming.shift(); next; next = coming.shift()) {
      const object = await next
      if (object === null) return
      readNext()
      yield object
    }
  } finally {
    // Nobody asks for these any more.
    for (const object of await Promise.all(coming)) object?.release()
  }
}
