import type {MemoryObject} from './cpu-pool.js'
import type {ChunkKey} from './storage-backend.js'

export interface WriteQueueOptions {
  /** Chunks that may wait or be written; more are dropped. */
  readonly maxChunks: number
  readonly maxBytes: number
  readonly concurrency: number
  /** Must not throw. */
  readonly write: (key: ChunkKey, object: MemoryObject) => Promise<void>
}

/** Chunks on their way to a slower tier: bounded, each key once, memory held until it is written. */
export class WriteQueue {
  readonly #options: WriteQueueOptions
  readonly #inFlight = new Map<string, MemoryObject>()
  readonly #waiting: ChunkKey[] = []
  readonly #idle: (() => void)[] = []
  #bytes = 0
  #writing = 0

  constructor(options: WriteQueueOptions) {
    this.#options = options
  }

  get length(): number {
    return this.#inFlight.size
  }

  has(key: ChunkKey): boolean {
    return this.#inFlight.has(key.text)
  }

  /** @returns false when there is no room */
  push(key: ChunkKey, object: MemoryObject): boolean {
    if (this.#inFlight.has(key.text)) return true
    const {maxChunks, maxBytes} = this.#options
    if (this.#inFlight.size >= maxChunks || this.#bytes + object.physicalBytes > maxBytes) return false
    this.#inFlight.set(key.text, object.retain())
    this.#bytes += object.physicalBytes
    this.#waiting.push(key)
    this.#startNext()
    return true
  }

  async settle(): Promise<void> {
    if (this.#inFlight.size === 0) return
    await new Promise<void>(resolve => this.#idle.push(resolve))
  }

  #startNext(): void {
    while (this.#writing < this.#options.concurrency) {
      const key = this.#waiting.shift()
      if (key === undefined) return
      this.#writing++
      void this.#write(key)
    }
  }

  async #write(key: ChunkKey): Promise<void> {
    const object = this.#inFlight.get(key.text)!
    await this.#options.write(key, object)
    this.#inFlight.delete(key.text)
    this.#bytes -= object.physicalBytes
    this.#writing--
    object.release()
    this.#startNext()
    if (this.#inFlight.size === 0) for (const tell of this.#idle.splice(0)) tell()
  }
}
