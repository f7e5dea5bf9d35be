import type {ReadDelays} from './read-delay.js'

/** Takes a read that was stamped before. `bytes[end]` is a line feed, so that a search for the next one ends there. */
export interface ReadTaker {
  takeRead(bytes: Buffer, start: number, end: number, nowMs: number, delayMs: number): void
}

const ROOM_BYTES = 512 * 1024
/** A larger read is not worth its copy: it is taken at once, behind all that waits. */
const MOST_BYTES = 64 * 1024
export const MOST_READS = 4096
/** Then sockets that have become ready meanwhile are read. */
const TAKE_MS = 0.1
/** Reads that nobody waits for are taken when there are so many, or when the next one comes so long after the first. */
const [ENOUGH_READS, ENOUGH_MS] = [32, 10]
const LF = 10

/**
 * Keeps reads until no socket has more to give: what one answer costs to parse is then no delay of the next one's stamp. Many
 * streams of one server speak at the same instant, and the stamp of the last would be late by the parsing of all others. Reads in the
 * middle of an answer wait longer, for more of them: code that comes back after a pause, for one chunk, costs several times what it
 * costs for the next.
 */
export class ReadQueue {
  /** Of the places of this queue, and one for what is taken at once. */
  readonly #delays: ReadDelays
  /** A ring; each read lies in one piece. */
  readonly #bytes = Buffer.allocUnsafeSlow(ROOM_BYTES)
  readonly #takers: (ReadTaker | null)[] = new Array<ReadTaker | null>(MOST_READS).fill(null)
  readonly #starts = new Uint32Array(MOST_READS)
  readonly #lengths = new Uint32Array(MOST_READS)
  readonly #nowMs = new Float64Array(MOST_READS)
  #first = 0
  #count = 0
  #tail = 0
  #isAwaited = false
  #isAfterPoll = false
  #isTakingAll = false

  /** @param delays of `MOST_READS + 1` places */
  constructor(delays: ReadDelays) {
    this.#delays = delays
  }

  /** Whether the poll of this turn is over, and what runs is called from here. */
  get isAfterPoll(): boolean {
    return this.#isAfterPoll
  }

  /** @param isUrgent whether something is to be done when it is taken: it is, at the end of this turn */
  add(taker: ReadTaker, bytes: Buffer, length: number, nowMs: number, isUrgent: boolean): void {
    if (length > MOST_BYTES) {
      this.#delays.note(MOST_READS, nowMs)
      this.takeAll()
      this.#delays.settle()
      bytes[length] = LF
      taker.takeRead(bytes, 0, length, nowMs, this.#delays.boundMs(MOST_READS))
      return
    }
    let start = this.#roomFor(length + 1)
    if (start < 0) this.#delays.settle()
    while (start < 0) {
      this.#takeOne()
      start = this.#roomFor(length + 1)
    }
    bytes.copy(this.#bytes, start, 0, length)
    this.#bytes[start + length] = LF
    this.#tail = start + length + 1
    // What waits lies as close together as it can.
    if (this.#count === 0) this.#first = 0
    const place = (this.#first + this.#count++) % MOST_READS
    this.#takers[place] = taker
    this.#starts[place] = start
    this.#lengths[place] = length
    this.#nowMs[place] = nowMs
    this.#delays.note(place, nowMs)
    if (isUrgent || this.#count >= ENOUGH_READS || nowMs - this.#nowMs[this.#first]! > ENOUGH_MS)
      this.#await()
  }

  /** Before anything that must know all that was read. */
  takeAll(): void {
    // Whoever asks while all are being taken is one of them.
    if (this.#isTakingAll || this.#count === 0) return
    this.#isTakingAll = true
    this.#delays.settle()
    try {
      while (this.#count > 0) this.#takeOne()
    } finally {
      this.#isTakingAll = false
    }
  }

  #await(): void {
    if (this.#isAwaited) return
    this.#isAwaited = true
    setImmediate(this.#takeSome)
  }

  readonly #takeSome = (): void => {
    this.#isAwaited = false
    if (this.#count === 0) return
    this.#isAfterPoll = true
    this.#delays.settle()
    const untilMs = performance.now() + TAKE_MS
    try {
      do this.#takeOne()
      while (this.#count > 0 && performance.now() < untilMs)
    } finally {
      this.#isAfterPoll = false
      if (this.#count > 0) this.#await()
    }
  }

  #takeOne(): void {
    if (this.#count === 0) return
    const place = this.#first
    const taker = this.#takers[place]!
    this.#takers[place] = null
    this.#first = (place + 1) % MOST_READS
    this.#count--
    const start = this.#starts[place]!
    const delayMs = this.#delays.boundMs(place)
    taker.takeRead(this.#bytes, start, start + this.#lengths[place]!, this.#nowMs[place]!, delayMs)
  }

  /** @returns where so many bytes have room; −1 while there is none */
  #roomFor(bytes: number): number {
    if (this.#count === MOST_READS) return -1
    if (this.#count === 0) return 0
    const head = this.#starts[this.#first]!
    if (this.#tail <= head) return head - this.#tail > bytes ? this.#tail : -1
    if (ROOM_BYTES - this.#tail >= bytes) return this.#tail
    return head > bytes ? 0 : -1
  }
}
