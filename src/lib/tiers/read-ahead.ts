import type {MemoryObject} from './cpu-pool.js'
import type {ChunkKey} from './storage-backend.js'

/** Chunks that one load reads at once. */
const AT_ONCE = 8

/** A chunk's place in the order in which a device is asked: so the first chunk is whole while the next ones are still read. */
export interface Turn {
  /** Resolves when all of the chunk before has been asked for. */
  readonly begins: Promise<void>
  /** Lets the next one ask. At the latest, the end of the read does. */
  readonly end: () => void
}

/**
 * Chunks in the order of their keys, each as soon as it and those before it are there, while the next ones are read. A miss ends
 * it: what comes behind a hole is of no use.
 *
 * @param read gives a chunk, held for the caller, or null; must not throw
 */
export async function* readAhead(
  keys: readonly ChunkKey[],
  read: (key: ChunkKey, turn: Turn) => Promise<MemoryObject | null>,
): AsyncGenerator<MemoryObject> {
  const [rest, coming] = [keys.values(), [] as Promise<MemoryObject | null>[]]
  let begins = Promise.resolve()
  const readNext = (): void => {
    const {value} = rest.next()
    if (value === undefined) return
    let end = (): void => undefined
    const ends = new Promise<void>(resolve => (end = resolve))
    coming.push(read(value, {begins, end}).finally(end))
    begins = ends
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
