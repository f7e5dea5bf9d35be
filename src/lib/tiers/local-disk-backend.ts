import {join} from 'node:path'
import {crc32} from 'node:zlib'
import {isSystemError, type Logger} from '../foundation/index.js'
import type {ChunkFiles} from './chunk-files.js'
import {createEvictionPolicy} from './core/eviction/create-eviction-policy.js'
import type {EvictionPolicy, EvictionPolicyName} from './core/eviction/eviction-policy.js'
import {diskFileName} from './core/file-names.js'
import {layoutBytes, type ChunkLayout} from './core/memory-format.js'
import {physicalBytes, type MemoryObject} from './cpu-pool.js'
import {DiskJournal, type DiskEntry} from './disk-journal.js'
import {
  NO_FIGURES,
  type ChunkKey,
  type Cleared,
  type StorageBackend,
  type TierFigures,
} from './storage-backend.js'
import {TierHealth} from './tier-health.js'
import {WriteQueue} from './write-queue.js'

export interface LocalDiskOptions {
  readonly folder: string
  readonly capacityBytes: number
  readonly policy: EvictionPolicyName
  /** Which journal of the folder is ours: several workers may share it. */
  readonly workerId: number
  readonly files: ChunkFiles
  readonly allocate: (layout: ChunkLayout) => Promise<MemoryObject | null>
  /** What a file without a journal line would be: the key it names and its layout; null for those of others. */
  readonly adopt: (fileName: string) => {readonly key: ChunkKey; readonly layout: ChunkLayout} | null
  readonly logger: Logger
  readonly retryMs: number
}

const QUEUE = {maxChunks: 4096, maxBytes: 2 ** 30, concurrency: 4}
const READS_AT_ONCE = 8

/** Physical bytes, pins and the chunk itself. */
interface Resident extends DiskEntry {
  readonly bytes: number
  pins: number
}

/**
 * One file a chunk, as upstream names and fills it, with a journal beside them from which a restart knows what they are.
 *
 * @see LMCache/LMCache:lmcache/v1/storage_backend/local_disk_backend.py
 */
export class LocalDiskBackend implements StorageBackend {
  readonly name = 'LocalDiskBackend'
  readonly #options: LocalDiskOptions
  readonly #journal: DiskJournal
  readonly #health: TierHealth
  readonly #queue: WriteQueue
  readonly #policy: EvictionPolicy
  readonly #residents = new Map<string, Resident>()
  readonly #temporaryPrefix: string
  #usedBytes = 0
  #temporaries = 0
  #counts = {
    ...{droppedWrites: 0, failedWrites: 0, failedReads: 0, refusedReads: 0, evictedChunks: 0},
    ...{readRequests: 0, readBytes: 0, writeRequests: 0, writeBytes: 0},
  }

  private constructor(options: LocalDiskOptions) {
    this.#options = options
    this.#journal = new DiskJournal(join(options.folder, `kvctl-journal-${options.workerId}.jsonl`))
    this.#temporaryPrefix = `.kvctl-${options.workerId}-`
    this.#policy = createEvictionPolicy(options.policy)
    this.#health = new TierHealth({...options, tier: this.name, probe: async () => this.#probe()})
    this.#queue = new WriteQueue({...QUEUE, write: async (key, object) => this.#write(key, object)})
  }

  /** Opens a folder, which is made where it is missing, and finds what a former process left. @throws system errors */
  static async open(options: LocalDiskOptions): Promise<LocalDiskBackend> {
    const backend = new LocalDiskBackend(options)
    await options.files.makeFolder(options.folder)
    await backend.#recover()
    return backend
  }

  get figures(): TierFigures {
    let pinnedChunks = 0
    for (const {pins} of this.#residents.values()) if (pins > 0) pinnedChunks++
    return {
      ...NO_FIGURES,
      ...this.#counts,
      chunks: this.#residents.size,
      bytes: this.#usedBytes,
      capacityBytes: this.#options.capacityBytes,
      pinnedChunks,
      pendingWrites: this.#queue.length,
      degraded: this.#health.degraded,
    }
  }

  knows(key: ChunkKey): boolean {
    return this.#residents.has(key.text) || this.#queue.has(key)
  }

  async countPrefix(keys: readonly ChunkKey[]): Promise<number> {
    if (this.#health.degraded !== null) return 0
    const missing = keys.findIndex(({text}) => !this.#residents.has(text))
    return missing < 0 ? keys.length : missing
  }

  async load(keys: readonly ChunkKey[]): Promise<(MemoryObject | null)[]> {
    const objects: (MemoryObject | null)[] = []
    for (let at = 0; at < keys.length; at += READS_AT_ONCE) {
      const some = keys.slice(at, at + READS_AT_ONCE)
      objects.push(...(await Promise.all(some.map(async key => this.#read(key)))))
    }
    return objects
  }

  put(key: ChunkKey, object: MemoryObject): boolean {
    if (this.knows(key)) return true
    if (this.#health.degraded === null && this.#queue.push(key, object)) return true
    this.#counts.droppedWrites++
    return false
  }

  touch(keys: readonly ChunkKey[]): void {
    for (const {text} of keys) this.#policy.hit(text)
  }

  pin(keys: readonly ChunkKey[]): void {
    for (const {text} of keys) {
      const resident = this.#residents.get(text)
      if (resident !== undefined) resident.pins++
    }
  }

  unpin(keys: readonly ChunkKey[]): void {
    for (const {text} of keys) {
      const resident = this.#residents.get(text)
      if (resident !== undefined && resident.pins > 0) resident.pins--
    }
  }

  async remove(keys: readonly ChunkKey[]): Promise<number> {
    const there = keys.flatMap(({text}) => this.#residents.get(text) ?? [])
    for (const resident of there) await this.#drop(resident)
    return there.length
  }

  async clear(): Promise<Cleared> {
    await this.#queue.settle()
    const going = [...this.#residents.values()].filter(({pins}) => pins === 0)
    for (const resident of going) this.#forget(resident)
    try {
      await this.#journal.rewrite(this.#residents.values())
      for (const {key} of going) await this.#options.files.remove(this.#pathOf(key))
    } catch (error) {
      this.#health.failed(error)
    }
    return {
      chunks: going.length,
      tokens: going.reduce((sum, {key}) => sum + key.tokens, 0),
      pinnedChunks: this.#residents.size,
    }
  }

  async settle(): Promise<void> {
    await this.#queue.settle()
  }

  async close(): Promise<void> {
    await this.#queue.settle()
    this.#health.close()
  }

  async #recover(): Promise<void> {
    const {files, folder, adopt, logger} = this.#options
    const [journal, names] = await Promise.all([this.#journal.read(), files.names(folder)])
    const left = new Set(names)
    let isStale = false
    for (const entry of journal.values()) {
      if (left.delete(diskFileName(entry.key.text))) this.#add(entry)
      else isStale = true
    }
    for (const name of left) {
      if (name.startsWith(this.#temporaryPrefix)) await files.remove(join(folder, name))
      else {
        const found = adopt(name)
        if (found === null) continue
        const bytes = await files.read(join(folder, name), async size => size)
        if (bytes === layoutBytes(found.layout)) {
          this.#add({...found, crc: null})
          isStale = true
        } else
          logger.warn(
            `${join(folder, name)} has ${bytes} bytes where a chunk has ${layoutBytes(found.layout)}`,
          )
      }
    }
    if (isStale) await this.#journal.rewrite(this.#residents.values())
  }

  async #read(key: ChunkKey): Promise<MemoryObject | null> {
    const resident = this.#residents.get(key.text)
    if (resident === undefined || this.#health.degraded !== null) return null
    const object = await this.#options.allocate(resident.layout)
    if (object === null) return null
    const refuse = async (why: string): Promise<null> => {
      this.#options.logger.warn(`${this.#pathOf(key)} is refused: ${why}`)
      this.#counts.refusedReads++
      object.release()
      // Somebody may have forgotten it meanwhile.
      if (this.#residents.get(key.text) === resident) await this.#drop(resident)
      return null
    }
    this.#counts.readRequests++
    try {
      const problem = await this.#options.files.read(this.#pathOf(key), async (bytes, readInto) => {
        if (bytes !== object.bytes.length) return `it has ${bytes} bytes, not ${object.bytes.length}`
        await readInto(object.bytes, 0)
        if (resident.crc !== null && crc32(object.bytes) !== resident.crc) return 'its checksum is another'
        return null
      })
      if (problem !== null) return await refuse(problem)
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return refuse('it is gone')
      this.#counts.failedReads++
      object.release()
      this.#health.failed(error)
      return null
    }
    this.#counts.readBytes += object.bytes.length
    return object
  }

  async #write(key: ChunkKey, object: MemoryObject): Promise<void> {
    if (this.#health.degraded !== null || !(await this.#makeRoom(object.physicalBytes))) {
      this.#counts.droppedWrites++
      return
    }
    // From here on the room is taken, whatever else is written at the same time.
    this.#usedBytes += object.physicalBytes
    const {files, folder} = this.#options
    const temporary = join(folder, `${this.#temporaryPrefix}${this.#temporaries++}.tmp`)
    try {
      await files.write(temporary, [object.bytes])
      await files.rename(temporary, this.#pathOf(key))
      const entry = {key, layout: object.layout, crc: crc32(object.bytes)}
      await this.#journal.added(entry)
      this.#usedBytes -= object.physicalBytes
      this.#add(entry)
      this.#counts.writeRequests++
      this.#counts.writeBytes += object.bytes.length
    } catch (error) {
      this.#usedBytes -= object.physicalBytes
      this.#counts.failedWrites++
      this.#health.failed(error)
      await this.#discard(temporary, this.#pathOf(key))
    }
  }

  async #discard(...paths: string[]): Promise<void> {
    try {
      for (const path of paths) await this.#options.files.remove(path)
    } catch (error) {
      this.#options.logger.debug(`cannot remove ${paths.join(', ')}: ${String(error)}`)
    }
  }

  async #makeRoom(bytes: number): Promise<boolean> {
    while (this.#usedBytes + bytes > this.#options.capacityBytes) {
      const text = this.#policy.candidate(one => this.#residents.get(one)!.pins === 0)
      if (text === null) return false
      this.#counts.evictedChunks++
      await this.#drop(this.#residents.get(text)!)
    }
    return true
  }

  #add(entry: DiskEntry): void {
    const bytes = physicalBytes(layoutBytes(entry.layout))
    this.#residents.set(entry.key.text, {...entry, bytes, pins: 0})
    this.#policy.added(entry.key.text)
    this.#usedBytes += bytes
  }

  #forget({key, bytes}: Resident): void {
    this.#residents.delete(key.text)
    this.#policy.removed(key.text)
    this.#usedBytes -= bytes
  }

  async #drop(resident: Resident): Promise<void> {
    this.#forget(resident)
    try {
      await this.#journal.removed(resident.key)
      await this.#options.files.remove(this.#pathOf(resident.key))
    } catch (error) {
      this.#health.failed(error)
    }
  }

  async #probe(): Promise<void> {
    const {files, folder} = this.#options
    const path = join(folder, `${this.#temporaryPrefix}probe.tmp`)
    await files.makeFolder(folder)
    await files.write(path, [Buffer.alloc(4096)])
    await files.remove(path)
  }

  #pathOf({text}: ChunkKey): string {
    return join(this.#options.folder, diskFileName(text))
  }
}
