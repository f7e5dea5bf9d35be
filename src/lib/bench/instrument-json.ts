import type {Instrument} from '../runs/index.js'
import type {ProcessInstrument} from './instrument.js'

/**
 * What a load process found out about itself, as `meta.json` and `results.json` hold it. The bounds of reads begin when the
 * kernel makes the process ready; what waking it up takes on this machine is the median by which timers fire late.
 */
export function instrumentJson({
  tokenDelay,
  firstTokenDelay,
  lateness,
  eventLoopDelay,
  cpuShare,
  tokenReads,
}: ProcessInstrument): Instrument {
  const wakeMs = eventLoopDelay.p50Ms ?? 0
  const withWake = (ms: number | null): number | null => (ms === null ? null : ms + wakeMs)
  return {
    ttft_error_p99_ms: withWake(firstTokenDelay.p99Ms),
    // A gap is wrong by at most the larger delay of its two ends: 1 % of gaps have an end among the worst 0.5 % of reads.
    gap_error_p99_ms: withWake(tokenDelay.p995Ms),
    cpu_share_max: cpuShare,
    lateness_p99_ms: lateness.p99Ms,
    workers: 1,
    lateness_ms: {p50: lateness.p50Ms, p99: lateness.p99Ms, max: lateness.maxMs},
    event_loop_delay_ms: {p50: eventLoopDelay.p50Ms, p99: eventLoopDelay.p99Ms, max: eventLoopDelay.maxMs},
    read_delay_ms: {p50: tokenDelay.p50Ms, p99: tokenDelay.p99Ms, max: tokenDelay.maxMs},
    token_reads: tokenReads,
  }
}
