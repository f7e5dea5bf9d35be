import type {ChunkLayout} from './core/memory-format.js'
import {layoutBytes} from './core/memory-format.js'
import {PAGE_BYTES, pageMemory} from './page-memory.js'

/** Memory is taken in whole pages; upstream calls the sum the physical size. */
export function physicalBytes(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
}

/** A chunk's bytes in the pool, counted: whoever keeps it retains it, and the last release gives the memory back. */
export class MemoryObject {
  readonly layout: ChunkLayout
  readonly bytes: Buffer
  readonly physicalBytes: number
  readonly #giveBack: (object: MemoryObject) => void
  #holders = 1

  constructor(layout: ChunkLayout, memory: Buffer, giveBack: (object: MemoryObject) => void) {
    this.layout = layout
    this.bytes = memory.subarray(0, layoutBytes(layout))
    this.physicalBytes = memory.length
    this.#giveBack = giveBack
  }

  get holders(): number {
    return this.#holders
  }

  retain(): this {
    if (this.#holders === 0) throw new RangeError('this chunk was given back')
    this.#holders++
    return this
  }

  release(): void {
    if (this.#holders === 0) throw new RangeError('this chunk was given back')
    if (--this.#holders === 0) this.#giveBack(this)
  }
}

/**
 * The CPU tier's memory, staging included: never more than its capacity. Buffers are used again, because touching fresh
 * memory costs more than copying into it.
 */
export class CpuPool {
  readonly capacityBytes: number
  readonly #idle = new Map<number, Buffer[]>()
  #usedBytes = 0
  #idleBytes = 0
  #objects = 0

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get objects(): number {
    return this.#objects
  }

  /** Memory for a chunk, held once by the caller; null when there is no room. Its content is arbitrary. */
  allocate(layout: ChunkLayout): MemoryObject | null {
    const bytes = physicalBytes(layoutBytes(layout))
    if (this.#usedBytes + bytes > this.capacityBytes) return null
    const memory = this.#takeIdle(bytes) ?? this.#fresh(bytes)
    this.#usedBytes += bytes
    this.#objects++
    return new MemoryObject(layout, memory, () => {
      this.#usedBytes -= bytes
      this.#objects--
      this.#idleBytes += bytes
      const idle = this.#idle.get(bytes)
      if (idle === undefined) this.#idle.set(bytes, [memory])
      else idle.push(memory)
    })
  }

  #takeIdle(bytes: number): Buffer | null {
    const memory = this.#idle.get(bytes)?.pop()
    if (memory === undefined) return null
    this.#idleBytes -= bytes
    return memory
  }

  #fresh(bytes: number): Buffer {
    for (const [size, idle] of this.#idle) {
      while (idle.length > 0 && this.#usedBytes + this.#idleBytes + bytes > this.capacityBytes) {
        idle.pop()
        this.#idleBytes -= size
      }
      if (idle.length === 0) this.#idle.delete(size)
    }
    return pageMemory(bytes)
  }
}
