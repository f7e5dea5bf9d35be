import {createHistogram, monitorEventLoopDelay, type RecordableHistogram} from 'node:perf_hooks'
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

export interface InstrumentMeter {
  readonly tokenRead: (delayMs: number, isFirst: boolean) => void
  late(ms: number): void
  /** Now the clock runs: what the process did to get ready does not count. */
  start(): void
  stop(): ProcessInstrument
}

/** Each probe wakes the process, which costs as much as a chunk or two. */
const LOOP_PROBE_MS = 20

/** Watches the process between `start` and `stop`; costs two clock-free histogram entries a chunk. */
export function createInstrumentMeter(): InstrumentMeter {
  const [tokens, firsts, lateness] = [createHistogram(), createHistogram(), createHistogram()]
  const loop = monitorEventLoopDelay({resolution: LOOP_PROBE_MS})
  const runDelay = openRunDelay()
  let [startMs, startCpu, startWaitMs] = [performance.now(), process.cpuUsage(), 0]
  return {
    start() {
      loop.enable()
      ;[startMs, startCpu, startWaitMs] = [performance.now(), process.cpuUsage(), runDelay?.totalMs() ?? 0]
    },
    tokenRead(delayMs, isFirst) {
      record(tokens, delayMs)
      if (isFirst) record(firsts, delayMs)
    },
    late: ms => record(lateness, ms),
    stop() {
      loop.disable()
      const wallMs = performance.now() - startMs
      const {user, system} = process.cpuUsage(startCpu)
      const cpuMs = (user + system) / 1000
      const waitedMs = runDelay === null ? null : runDelay.totalMs() - startWaitMs
      runDelay?.close()
      return {
        tokenDelay: spreadOf(tokens, 0),
        firstTokenDelay: spreadOf(firsts, 0),
        lateness: spreadOf(lateness, 0),
        eventLoopDelay: spreadOf(loop, LOOP_PROBE_MS),
        cpuShare: wallMs > 0 ? cpuMs / wallMs : null,
        cpuMs,
        processorWaitShare: waitedMs === null || wallMs <= 0 ? null : waitedMs / wallMs,
        tokenReads: tokens.count,
      }
    },
  }
}

/** Histograms hold integers from 1 up: nanoseconds, of which the first is noise anyway. */
function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * 1e6)))
}

function spreadOf(
  histogram: Pick<RecordableHistogram, 'count' | 'percentile' | 'max'>,
  baseMs: number,
): Spread {
  if (histogram.count === 0) return {p50Ms: null, p99Ms: null, p995Ms: null, maxMs: null}
  const above = (ns: number): number => Math.max(0, ns / 1e6 - baseMs)
  return {
    p50Ms: above(histogram.percentile(50)),
    p99Ms: above(histogram.percentile(99)),
    p995Ms: above(histogram.percentile(99.5)),
    maxMs: above(histogram.max),
  }
}
