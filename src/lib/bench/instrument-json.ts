import type {Instrument} from '../runs/index.js'
import type {ProcessInstrument, Spread} from './instrument.js'

/**
 * What the load processes found out about themselves, as `meta.json` and `results.json` hold it: figures of the worst of them,
 * since percentiles of processes cannot be averaged, and counts of all. The bounds of reads begin when the kernel makes a
 * process ready; what waking it up takes on this machine is told by how late timers fire. Both percentiles are added: with the
 * median of the timers 149 of 160 runs were as exact as they said, with the 99th percentile all (bench/instrument).
 */
export function instrumentJson(processes: readonly ProcessInstrument[]): Instrument {
  const worst = (figure: (one: ProcessInstrument) => number | null): number | null =>
    processes.some(one => figure(one) === null) ? null : Math.max(...processes.map(one => figure(one)!))
  const known = (figure: (one: ProcessInstrument) => number | null): number | null => {
    const values = processes.flatMap(one => figure(one) ?? [])
    return values.length === 0 ? null : Math.max(...values)
  }
  const spread = (of: (one: ProcessInstrument) => Spread): Record<'p50' | 'p99' | 'max', number | null> => ({
    p50: known(one => of(one).p50Ms),
    p99: known(one => of(one).p99Ms),
    max: known(one => of(one).maxMs),
  })
  const withWake = (one: ProcessInstrument, ms: number | null): number | null =>
    ms === null ? null : ms + (one.eventLoopDelay.p99Ms ?? 0)
  const sum = (figure: (one: ProcessInstrument) => number): number =>
    processes.reduce((total, one) => total + figure(one), 0)
  const tokenReads = sum(one => one.tokenReads)
  return {
    ttft_error_p99_ms: known(one => withWake(one, one.firstTokenDelay.p99Ms)),
    // A gap is wrong by at most the larger delay of its two ends: 1 % of gaps have an end among the worst 0.5 % of reads.
    gap_error_p99_ms: known(one => withWake(one, one.tokenDelay.p995Ms)),
    cpu_share_max: worst(one => one.cpuShare),
    lateness_p99_ms: known(one => one.lateness.p99Ms),
    workers: processes.length,
    calibration: null,
    processor_wait_share_max: worst(one => one.processorWaitShare),
    cpu_us_per_token_read: tokenReads === 0 ? null : (sum(one => one.cpuMs) * 1000) / tokenReads,
    lateness_ms: spread(one => one.lateness),
    event_loop_delay_ms: spread(one => one.eventLoopDelay),
    read_delay_ms: spread(one => one.tokenDelay),
    token_reads: tokenReads,
  }
}
