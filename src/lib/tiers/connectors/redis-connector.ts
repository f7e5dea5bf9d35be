import {olderNames, parseKey} from '../core/cache-key.js'
import type {ChunkLayout} from '../core/memory-format.js'
import {readMetadata, writeMetadata} from '../core/remote-metadata.js'
import type {MemoryObject} from '../cpu-pool.js'
import type {ChunkKey} from '../storage-backend.js'
import {RefusedChunk, type Connector, type ReadInto} from './connector.js'
import type {RedisLink} from './redis-link.js'

const METADATA = 'metadata'
const PAYLOAD = 'kv_bytes'

/**
 * Two values a chunk: `<key>kv_bytes`, then `<key>metadata` with the header, so that what has a header is whole.
 *
 * @see LMCache/LMCache:lmcache/v1/storage_backend/connector/redis_connector.py
 */
export class RedisConnector implements Connector {
  readonly #link: RedisLink
  readonly #ttlSeconds: number | null

  constructor(link: RedisLink, ttlSeconds: number | null) {
    this.#link = link
    this.#ttlSeconds = ttlSeconds
  }

  async has(keys: readonly ChunkKey[]): Promise<boolean[]> {
    const names = keys.map(key => namesOf(key).map(name => name + METADATA))
    const found = await this.#link.exist(names.flat())
    let at = 0
    return names.map(some => some.map(() => found[at++]!).includes(true))
  }

  async get(key: ChunkKey, readInto: ReadInto): Promise<MemoryObject | null> {
    for (const name of namesOf(key)) {
      const head = await this.#link.get(name + METADATA)
      if (head === null) continue
      const metadata = readMetadata(head)
      if ('refusal' in metadata) throw new RefusedChunk(`${name} has ${metadata.refusal}`)
      const read = await readValue(this.#link, name + PAYLOAD, metadata.layout, readInto)
      // The server evicted the larger half: the smaller one promises what is no longer there.
      if (read === 'missing') await this.#link.remove([name + METADATA])
      return read === 'missing' ? null : read
    }
    return null
  }

  async put({text}: ChunkKey, object: MemoryObject): Promise<void> {
    await this.#link.set(text + PAYLOAD, object.bytes, this.#ttlSeconds)
    await this.#link.set(text + METADATA, writeMetadata(object.layout), this.#ttlSeconds)
  }

  async remove(key: ChunkKey): Promise<boolean> {
    const removed = await this.#link.remove(namesOf(key).flatMap(name => [name + METADATA, name + PAYLOAD]))
    return removed > 0
  }

  async *list(prefix: string): AsyncIterable<string> {
    for await (const name of this.#link.scan(`${escapePattern(prefix)}*${PAYLOAD}`))
      yield name.slice(0, -PAYLOAD.length)
  }

  async ping(): Promise<void> {
    await this.#link.ping()
  }

  async close(): Promise<void> {
    await this.#link.close()
  }
}

/**
 * One value a chunk, which holds nothing but the chunk; so its size must be that of the whole chunk.
 *
 * @see LMCache/LMCache:lmcache/v1/storage_backend/connector/valkey_connector.py
 */
export class ValkeyConnector implements Connector {
  readonly #link: RedisLink
  readonly #ttlSeconds: number | null
  readonly #layoutOf: (key: ChunkKey) => ChunkLayout

  constructor(link: RedisLink, ttlSeconds: number | null, layoutOf: (key: ChunkKey) => ChunkLayout) {
    this.#link = link
    this.#ttlSeconds = ttlSeconds
    this.#layoutOf = layoutOf
  }

  async has(keys: readonly ChunkKey[]): Promise<boolean[]> {
    return this.#link.exist(keys.map(({text}) => text))
  }

  async get(key: ChunkKey, readInto: ReadInto): Promise<MemoryObject | null> {
    const read = await readValue(this.#link, key.text, this.#layoutOf(key), readInto)
    return read === 'missing' ? null : read
  }

  async put({text}: ChunkKey, object: MemoryObject): Promise<void> {
    await this.#link.set(text, object.bytes, this.#ttlSeconds)
  }

  async remove({text}: ChunkKey): Promise<boolean> {
    return (await this.#link.remove([text])) > 0
  }

  async *list(prefix: string): AsyncIterable<string> {
    for await (const name of this.#link.scan(`${escapePattern(prefix)}*`))
      if (parseKey(name) !== null) yield name
  }

  async ping(): Promise<void> {
    await this.#link.ping()
  }

  async close(): Promise<void> {
    await this.#link.close()
  }
}

function namesOf(key: ChunkKey): string[] {
  const parsed = parseKey(key.text)
  return [key.text, ...(parsed === null ? [] : olderNames(parsed))]
}

/** The value of this name as a chunk; null when there is no memory for it. @throws RefusedChunk when it has another length */
async function readValue(
  link: RedisLink,
  name: string,
  layout: ChunkLayout,
  readInto: ReadInto,
): Promise<MemoryObject | 'missing' | null> {
  const object = await readInto(layout)
  if (object === null) return null
  let isWhole = false
  try {
    const bytes = await link.getInto(name, object.bytes)
    if (bytes === null) return 'missing'
    isWhole = bytes === object.bytes.length
    if (isWhole) return object
    throw new RefusedChunk(`${name} has ${bytes} bytes, not ${object.bytes.length}`)
  } finally {
    if (!isWhole) object.release()
  }
}

/** SCAN's patterns know `*`, `?`, `[` and `\`. */
function escapePattern(text: string): string {
  return text.replaceAll(/[*?[\]\\]/g, String.raw`\$&`)
}
