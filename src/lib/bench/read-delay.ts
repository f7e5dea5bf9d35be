import {performance, type PerformanceNodeTiming} from 'node:perf_hooks'
import type {RunDelay} from '../processes/index.js'

/** A poll that slept longer than this found nothing ready when it began; collecting a thousand ready sockets takes less. */
const SLEPT_MS = 0.1

/** What is known of a read. */
interface ReadAccount {
  /** Since the first read of the same turn of the event loop: both are of one poll. */
  readonly sinceTurnMs: number
  /** From the first read of the turn before to that of this one. */
  readonly sincePollMs: number
  /** For how long the loop had nothing to do in between, as it sees it: waiting for a processor looks the same. */
  readonly sleptMs: number
  /** For how long the kernel let the thread wait for a processor meanwhile, or longer. */
  readonly waitedMs: number
}

/**
 * The longest that the bytes of a read can have lain in the kernel: a poll that slept had nothing to give before, and one that did
 * not may have had them ever since the poll before.
 */
export function readDelayMs({sinceTurnMs, sincePollMs, sleptMs, waitedMs}: ReadAccount): number {
  const hasSlept = sleptMs - waitedMs > SLEPT_MS
  return sinceTurnMs + Math.max(hasSlept ? 0 : sincePollMs, waitedMs)
}

/**
 * Keeps the accounts of reads until they are taken. The kernel's own is asked for all of them together: the question costs as much
 * as a chunk or two.
 */
export class ReadDelays {
  readonly #openRunDelay: () => RunDelay | null
  /** Undefined until the first read: most processes never read. */
  #runDelay: RunDelay | null | undefined
  readonly #turnOfLoop = createTurnCounter()
  readonly #timing = performance.nodeTiming
  readonly #sinceTurnMs: Float64Array
  readonly #sincePollMs: Float64Array
  readonly #sleptMs: Float64Array
  /** All that the thread had waited when the kernel was last asked before the read. */
  readonly #waitedBeforeMs: Float64Array
  #turn = -1
  #turnStartMs = performance.now()
  #turnSincePollMs = 0
  #turnSleptMs = 0
  #idleMs = 0
  #waitedMs = 0

  /**
   * @param places how many reads can wait
   * @param openRunDelay gives null where the kernel does not tell
   */
  constructor(places: number, openRunDelay: () => RunDelay | null) {
    this.#openRunDelay = openRunDelay
    this.#sinceTurnMs = new Float64Array(places)
    this.#sincePollMs = new Float64Array(places)
    this.#sleptMs = new Float64Array(places)
    this.#waitedBeforeMs = new Float64Array(places)
  }

  /** A read comes now and waits in a place. */
  note(place: number, nowMs: number): void {
    if (this.#runDelay === undefined) {
      this.#runDelay = this.#openRunDelay()
      this.settle()
    }
    const turn = this.#turnOfLoop()
    if (turn !== this.#turn) {
      const idleMs = this.#timing.idleTime
      this.#turn = turn
      this.#turnSincePollMs = nowMs - this.#turnStartMs
      this.#turnSleptMs = idleMs - this.#idleMs
      this.#turnStartMs = nowMs
      this.#idleMs = idleMs
    }
    this.#sinceTurnMs[place] = nowMs - this.#turnStartMs
    this.#sincePollMs[place] = this.#turnSincePollMs
    this.#sleptMs[place] = this.#turnSleptMs
    this.#waitedBeforeMs[place] = this.#waitedMs
  }

  /** Asks the kernel; before the bounds of reads that were noted since. */
  settle(): void {
    this.#waitedMs = this.#runDelay?.totalMs() ?? 0
  }

  /** @returns the bound of the read in a place, milliseconds */
  boundMs(place: number): number {
    return readDelayMs({
      sinceTurnMs: this.#sinceTurnMs[place]!,
      sincePollMs: this.#sincePollMs[place]!,
      sleptMs: this.#sleptMs[place]!,
      waitedMs: this.#waitedMs - this.#waitedBeforeMs[place]!,
    })
  }
}

/** Which turn of the event loop it is. Node 21 to 22.7 do not count them: there the end of each is waited for, which costs a poll. */
function createTurnCounter(): () => number {
  const {nodeTiming}: {nodeTiming: Partial<PerformanceNodeTiming>} = performance
  if (nodeTiming.uvMetricsInfo !== undefined) return () => performance.nodeTiming.uvMetricsInfo.loopCount
  let [turn, isAwaited] = [0, false]
  const end = (): void => {
    turn++
    isAwaited = false
  }
  return () => {
    if (!isAwaited) setImmediate(end)
    isAwaited = true
    return turn
  }
}
