import {monitorEventLoopDelay, type IntervalHistogram} from 'node:perf_hooks'
import {LogHistogram} from '../metrics/index.js'
import {openRunDelay} from '../processes/index.js'

/** Points of a distribution, milliseconds; null without samples. */
export interface Spread {
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly p995Ms: number | null
  readonly maxMs: number | null
}

/** What a load process found out about itself. */
export interface ProcessInstrument {
  /** Upper bound of the time that token-bearing bytes waited to be read: the error of a gap. */
  readonly tokenDelay: Spread
  /** The same for first tokens: the error of a TTFT. */
  readonly firstTokenDelay: Spread
  /** Sent − scheduled, without waiting for a free place and without connecting. */
  readonly lateness: Spread
  readonly eventLoopDelay: Spread
  /** CPU time over wall time, user and system, of this process; 0–1 and above with helper threads. */
  readonly cpuShare: number | null
  /** CPU time of this process, ms. */
  readonly cpuMs: number
  /** Share of the time in which it was ready and the kernel ran something else; null where the kernel does not tell. */
  readonly processorWaitShare: number | null
  readonly tokenReads: number
}

/** Each probe wakes the process, which costs as much as a chunk or two. */
const LOOP_PROBE_MS = 20

/** Watches the process between `start` and `stop`; costs two clock-free histogram entries a chunk. */
export class InstrumentMeter {
  readonly #tokens = new DelaySpread()
  readonly #firsts = new DelaySpread()
  readonly #lateness = new DelaySpread()
  readonly #loop = monitorEventLoopDelay({resolution: LOOP_PROBE_MS})
  readonly #runDelay = openRunDelay()
  #startMs = performance.now()
  #startCpu = process.cpuUsage()
  #startWaitMs = 0

  /** Now the clock runs: what the process did to get ready does not count. */
  start(): void {
    this.#loop.enable()
    this.#startMs = performance.now()
    this.#startCpu = process.cpuUsage()
    this.#startWaitMs = this.#runDelay?.totalMs() ?? 0
  }

  tokenRead(delayMs: number, isFirst: boolean): void {
    this.#tokens.add(delayMs)
    if (isFirst) this.#firsts.add(delayMs)
  }

  late(ms: number): void {
    this.#lateness.add(ms)
  }

  stop(): ProcessInstrument {
    this.#loop.disable()
    const wallMs = performance.now() - this.#startMs
    const {user, system} = process.cpuUsage(this.#startCpu)
    const cpuMs = (user + system) / 1000
    const waitedMs = this.#runDelay === null ? null : this.#runDelay.totalMs() - this.#startWaitMs
    this.#runDelay?.close()
    return {
      tokenDelay: this.#tokens.seen,
      firstTokenDelay: this.#firsts.seen,
      lateness: this.#lateness.seen,
      eventLoopDelay: loopDelayOf(this.#loop),
      cpuShare: wallMs > 0 ? cpuMs / wallMs : null,
      cpuMs,
      processorWaitShare: waitedMs === null || wallMs <= 0 ? null : waitedMs / wallMs,
      tokenReads: this.#tokens.count,
    }
  }
}

/**
 * Of a class of ours, which the engine compiles once: every histogram of `node:perf_hooks` is an object of its own kind, and code
 * that was compiled for that of the warm-up is thrown away by the first measured read.
 */
class DelaySpread {
  readonly #delays = new LogHistogram()
  #maxMs = -Infinity

  get count(): number {
    return this.#delays.count
  }

  get seen(): Spread {
    const at = (fraction: number): number | null => this.#delays.quantile(fraction)
    const maxMs = this.count === 0 ? null : this.#maxMs
    return {p50Ms: at(0.5), p99Ms: at(0.99), p995Ms: at(0.995), maxMs}
  }

  add(ms: number): void {
    this.#delays.add(ms)
    if (ms > this.#maxMs) this.#maxMs = ms
  }
}

/** Lateness of a timer beyond its interval. */
function loopDelayOf(loop: Pick<IntervalHistogram, 'count' | 'percentile' | 'max'>): Spread {
  if (loop.count === 0) return {p50Ms: null, p99Ms: null, p995Ms: null, maxMs: null}
  const above = (ns: number): number => Math.max(0, ns / 1e6 - LOOP_PROBE_MS)
  return {
    p50Ms: above(loop.percentile(50)),
    p99Ms: above(loop.percentile(99)),
    p995Ms: above(loop.percentile(99.5)),
    maxMs: above(loop.max),
  }
}
