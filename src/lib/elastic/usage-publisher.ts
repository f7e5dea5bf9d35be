import type {UsagePort} from '../kvcache/index.js'
import type {SegmentStore} from '../segments/index.js'

const WATCH_INTERVAL_MS = 100

/** A segment to make, and where. */
export interface PublishedSegment {
  readonly store: SegmentStore
  readonly name: string
}

/**
 * The engine's side of its segment: figures are only noted while a step runs and written after it without waiting; the limit
 * is read every 100 ms in the kernel's lock queue, off the event loop and one read at a time, which is also how liveness
 * probes see this engine.
 */
export class UsagePublisher implements UsagePort {
  readonly #segment: PublishedSegment | null
  readonly #onLimit: () => void
  readonly #onFailure: (error: unknown) => void
  #usedBytes = 0
  #preallocatedBytes = 0
  #isDirty = false
  #limitBytes: number | null = null
  #watch: NodeJS.Timeout | null = null
  #reading: Promise<void> | null = null

  /** @param onLimit called when the limit changed; what it is then, {@link limitBytes} says */
  constructor(segment: PublishedSegment | null, onLimit: () => void, onFailure: (error: unknown) => void) {
    this.#segment = segment
    this.#onLimit = onLimit
    this.#onFailure = onFailure
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get preallocatedBytes(): number {
    return this.#preallocatedBytes
  }

  limitBytes(): number | null {
    return this.#limitBytes
  }

  publish(usedBytes: number, preallocatedBytes: number): void {
    this.#isDirty ||= usedBytes !== this.#usedBytes || preallocatedBytes !== this.#preallocatedBytes
    this.#usedBytes = usedBytes
    this.#preallocatedBytes = preallocatedBytes
  }

  /** Makes the segment. @throws as `SegmentStore.create` */
  async open(startupBytes: number): Promise<void> {
    if (!this.#segment) return
    await this.#segment.store.create(this.#segment.name, startupBytes)
    this.#isDirty = true
    this.flush()
    this.#watch = setInterval(() => {
      this.flush()
      this.#reading ??= this.#readLimit().finally(() => (this.#reading = null))
    }, WATCH_INTERVAL_MS)
    // A program that has nothing else to do may end; the segment goes with its exit.
    this.#watch.unref()
  }

  /**
   * Sets a limit from within, in the segment too, so that both say the same.
   *
   * @throws ResourceError `SEGMENT_NOT_FOUND`, `SEGMENT_LOCKED`; then nothing has changed
   */
  async setLimit(limitBytes: number): Promise<void> {
    await this.#segment?.store.writeLimit(this.#segment.name, BigInt(limitBytes))
    // One that began before we wrote may still bring the old limit.
    await this.#reading
    if (limitBytes === this.#limitBytes) return
    this.#limitBytes = limitBytes
    this.#onLimit()
  }

  /** Writes what changed, unless somebody has the lock: then the next call does. */
  flush(): void {
    if (!this.#isDirty || !this.#segment) return
    try {
      const {store, name} = this.#segment
      if (store.publish(name, this.#usedBytes, this.#preallocatedBytes)) this.#isDirty = false
    } catch (error) {
      this.#onFailure(error)
    }
  }

  /** Stops watching and removes the segment. */
  async close(): Promise<void> {
    if (this.#watch) clearInterval(this.#watch)
    this.#watch = null
    await this.#reading
    this.remove()
  }

  /** Removes the segment, if it is still there. */
  remove(): void {
    if (!this.#segment) return
    try {
      this.#segment.store.remove(this.#segment.name)
    } catch {
      // Somebody deleted it, which is what we wanted.
    }
  }

  async #readLimit(): Promise<void> {
    try {
      const record = await this.#segment!.store.readQueued(this.#segment!.name)
      const limitBytes = record === null ? null : Number(record.limitBytes)
      if (limitBytes === null || limitBytes === this.#limitBytes) return
      this.#limitBytes = limitBytes
      this.#onLimit()
    } catch (error) {
      this.#onFailure(error)
    }
  }
}
