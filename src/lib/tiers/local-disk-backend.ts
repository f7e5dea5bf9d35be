import {join} from 'node:path'
import {isSystemError, type Logger} from '../foundation/index.js'
import {checksumOf, readChecked} from './checksum.js'
import type {ChunkFiles} from './chunk-files.js'
import type {EvictionPolicyName} from './core/eviction/eviction-policy.js'
import {diskFileName} from './core/file-names.js'
import {layoutBytes, type ChunkLayout} from './core/memory-format.js'
import {physicalBytes, type MemoryObject} from './cpu-pool.js'
import {DirectFiles} from './direct-files.js'
import {DiskJournal, type DiskEntry} from './disk-journal.js'
import {readAhead, type Turn} from './read-ahead.js'
import {Residents, type Resident} from './residents.js'
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
  /** Whether chunks go past the page cache, where that can be. */
  readonly isDirect: boolean
  readonly allocate: (layout: ChunkLayout) => Promise<MemoryObject | null>
  /** What a file without a journal line would be: the key it names and its layout; null for those of others. */
  readonly adopt: (fileName: string) => {readonly key: ChunkKey; readonly layout: ChunkLayout} | null
  readonly logger: Logger
  readonly retryMs: number
}

const QUEUE = {maxChunks: 4096, maxBytes: 2 ** 30}
/** As many as libuv has threads; past the page cache twice as many, so that the device has work while chunks are named and noted. */
const WRITES_AT_ONCE = {cached: 4, direct: 8}

type ChunkOnDisk = DiskEntry & Resident

/**
 * One file a chunk, as upstream names and fills it, with a journal beside them from which a restart knows what they are.
 *
 * @see LMCache/LMCache:lmcache/v1/storage_backend/local_disk_backend.py
 */
export class LocalDiskBackend implements StorageBackend {
  readonly name = 'LocalDiskBackend'
  readonly #options: LocalDiskOptions
  readonly #journal: DiskJournal
  readonly #chunkFiles: DirectFiles
  readonly #health: TierHealth
  readonly #queue: WriteQueue
  readonly #residents: Residents<ChunkOnDisk>
  readonly #temporaryPrefix: string
  /** Room that is taken for chunks on their way. */
  #reservedBytes = 0
  #temporaries = 0
  #counts = {
    ...{droppedWrites: 0, failedWrites: 0, failedReads: 0, refusedReads: 0, evictedChunks: 0},
    ...{readRequests: 0, readBytes: 0, writeRequests: 0, writeBytes: 0},
  }

  private constructor(options: LocalDiskOptions) {
    this.#options = options
    this.#journal = new DiskJournal(join(options.folder, `kvctl-journal-${options.workerId}.jsonl`))
    this.#chunkFiles = new DirectFiles(options)
    this.#temporaryPrefix = `.kvctl-${options.workerId}-`
    this.#residents = new Residents(options.policy)
    this.#health = new TierHealth({...options, tier: this.name, probe: async () => this.#probe()})
    this.#queue = new WriteQueue({
      ...QUEUE,
      concurrency: WRITES_AT_ONCE[options.isDirect ? 'direct' : 'cached'],
      write: async (key, object) => this.#write(key, object),
    })
  }

  /** Opens a folder, which is made where it is missing, and finds what a former process left. @throws system errors */
  static async open(options: LocalDiskOptions): Promise<LocalDiskBackend> {
    const backend = new LocalDiskBackend(options)
    await options.files.makeFolder(options.folder)
    await backend.#recover()
    return backend
  }

  get figures(): TierFigures {
    return {
      ...NO_FIGURES,
      ...this.#counts,
      chunks: this.#residents.count,
      bytes: this.#usedBytes,
      capacityBytes: this.#options.capacityBytes,
      pinnedChunks: this.#residents.pinnedCount,
      pendingWrites: this.#queue.length,
      degraded: this.#health.degraded,
    }
  }

  knows(key: ChunkKey): boolean {
    return this.#residents.has(key) || this.#queue.has(key)
  }

  async countPrefix(keys: readonly ChunkKey[]): Promise<number> {
    return this.#health.degraded === null ? this.#residents.countPrefix(keys) : 0
  }

  load(keys: readonly ChunkKey[]): AsyncIterable<MemoryObject> {
    return readAhead(keys, async (key, turn) => this.#read(key, turn))
  }

  put(key: ChunkKey, object: MemoryObject): boolean {
    if (this.knows(key)) return true
    if (this.#health.degraded === null && this.#queue.push(key, object)) return true
    this.#counts.droppedWrites++
    return false
  }

  touch(keys: readonly ChunkKey[]): void {
    this.#residents.touch(keys)
  }

  pin(keys: readonly ChunkKey[]): void {
    this.#residents.pin(keys)
  }

  unpin(keys: readonly ChunkKey[]): void {
    this.#residents.unpin(keys)
  }

  async remove(keys: readonly ChunkKey[]): Promise<number> {
    const there = this.#residents.among(keys)
    for (const resident of there) await this.#drop(resident)
    return there.length
  }

  async clear(): Promise<Cleared> {
    await this.#queue.settle()
    const going = this.#residents.all().filter(mayGo)
    for (const resident of going) this.#residents.forget(resident)
    try {
      await this.#journal.rewrite(this.#residents.all())
      for (const {key} of going) await this.#options.files.remove(this.#pathOf(key))
    } catch (error) {
      this.#health.failed(error)
    }
    return this.#residents.cleared(going)
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
          this.#add({...found, checksum: null})
          isStale = true
        } else
          logger.warn(
            `${join(folder, name)} has ${bytes} bytes where a chunk has ${layoutBytes(found.layout)}`,
          )
      }
    }
    if (isStale) await this.#journal.rewrite(this.#residents.all())
  }

  async #read(key: ChunkKey, turn: Turn): Promise<MemoryObject | null> {
    const resident = this.#residents.get(key)
    if (resident === undefined || this.#health.degraded !== null) return null
    const object = await this.#options.allocate(resident.layout)
    if (object === null) return null
    const refuse = async (why: string): Promise<null> => {
      this.#options.logger.warn(`${this.#pathOf(key)} is refused: ${why}`)
      this.#counts.refusedReads++
      object.release()
      // Somebody may have forgotten it meanwhile.
      if (this.#residents.get(key) === resident) await this.#drop(resident)
      return null
    }
    this.#counts.readRequests++
    try {
      const problem = await this.#chunkFiles.read(
        this.#pathOf(key),
        object.bytes,
        async (bytes, readInto) => {
          if (bytes !== object.bytes.length) return `it has ${bytes} bytes, not ${object.bytes.length}`
          await turn.begins
          if (resident.checksum === null) await readInto(object.bytes, 0)
          else if ((await readChecked(object.bytes, readInto, turn.end)) !== resident.checksum)
            return 'its checksum is another'
          return null
        },
      )
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
    this.#reservedBytes += object.physicalBytes
    const {files, folder} = this.#options
    const temporary = join(folder, `${this.#temporaryPrefix}${this.#temporaries++}.tmp`)
    try {
      const [checksum] = await Promise.all([
        checksumOf(object.bytes),
        this.#chunkFiles.write(temporary, object.bytes),
      ])
      await files.rename(temporary, this.#pathOf(key))
      const entry = {key, layout: object.layout, checksum}
      await this.#journal.added(entry)
      this.#reservedBytes -= object.physicalBytes
      this.#add(entry)
      this.#counts.writeRequests++
      this.#counts.writeBytes += object.bytes.length
    } catch (error) {
      this.#reservedBytes -= object.physicalBytes
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
      const victim = this.#residents.victim(mayGo)
      if (victim === null) return false
      this.#counts.evictedChunks++
      await this.#drop(victim)
    }
    return true
  }

  get #usedBytes(): number {
    return this.#residents.bytes + this.#reservedBytes
  }

  #add(entry: DiskEntry): void {
    this.#residents.add({...entry, bytes: physicalBytes(layoutBytes(entry.layout)), pins: 0})
  }

  async #drop(resident: ChunkOnDisk): Promise<void> {
    this.#residents.forget(resident)
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

function mayGo({pins}: ChunkOnDisk): boolean {
  return pins === 0
}
