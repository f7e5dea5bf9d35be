import {createHistogram, monitorEventLoopDelay, type RecordableHistogram} from 'node:perf_hooks'

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
  readonly tokenReads: number
}

export interface InstrumentMeter {
  readonly tokenRead: (delayMs: number, isFirst: boolean) => void
  late(ms: number): void
  stop(): ProcessInstrument
}

const LOOP_PROBE_MS = 5

/** Starts to watch the process; costs two clock-free histogram entries a chunk. */
export function createInstrumentMeter(): InstrumentMeter {
  const [tokens, firsts, lateness] = [createHistogram(), createHistogram(), createHistogram()]
  const loop = monitorEventLoopDelay({resolution: LOOP_PROBE_MS})
  loop.enable()
  const [startMs, startCpu] = [performance.now(), process.cpuUsage()]
  return {
    tokenRead(delayMs, isFirst) {
      record(tokens, delayMs)
      if (isFirst) record(firsts, delayMs)
    },
    late: ms => record(lateness, ms),
    stop() {
      loop.disable()
      const wallMs = performance.now() - startMs
      const {user, system} = process.cpuUsage(startCpu)
      return {
        tokenDelay: spreadOf(tokens, 0),
        firstTokenDelay: spreadOf(firsts, 0),
        lateness: spreadOf(lateness, 0),
        eventLoopDelay: spreadOf(loop, LOOP_PROBE_MS),
        cpuShare: wallMs > 0 ? (user + system) / 1000 / wallMs : null,
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
