import {workersNeeded, type InstrumentFigures} from '../metrics/index.js'
import type {Instrument} from '../runs/index.js'

/** Waiting for a processor for more than this of the time is what spoils a measurement, not the number of processes. */
const PROCESSOR_WAIT_LIMIT = 0.02

/** What a user whose run is marked `client_limited` should do next. @param cpus of the machine that measured */
export function clientAdvice(
  figures: InstrumentFigures,
  instrument: Instrument | null,
  cpus: number | null,
): string {
  if (instrument === null) return ''
  const {workers, cpu_share_max: cpuShareMax, processor_wait_share_max: waited} = instrument
  if (waited !== null && waited > PROCESSOR_WAIT_LIMIT) {
    return `. It waited for a free processor in ${(waited * 100).toFixed(0)} % of the time: measure from a machine that does nothing else`
  }
  const needed = workersNeeded(figures, {workers, cpuShareMax})
  if (needed === workers) return ''
  if (cpus === null || needed <= cpus) return `. Use --workers ${needed}`
  return `. It would take --workers ${needed}, more than the ${cpus} processors of this machine: measure from a larger one, or with fewer streams`
}
