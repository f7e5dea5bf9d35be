import type {RunDirectory} from '../runs/index.js'
import type {BenchOptions} from './bench-plan.js'
import type {ResumePoint} from './resume-point.js'

/*
 * The doors to resuming. What they need (schemas, the readers of a run) is loaded on the first call, because the load process
 * imports this room too and should send its first request soon.
 */

/**
 * Finds what is left of a run that was killed or stopped, from its files alone; changes nothing.
 *
 * @throws ConfigurationError `RUN_COMPLETE`, `PLAN_MISSING`, `PLAN_CHANGED`, `RUN_UNREADABLE`
 * @throws ResourceError `RUN_BUSY` while another process still writes it, `RUN_INCOMPLETE` without `meta.json`
 */
export async function findResumePoint(run: RunDirectory): Promise<ResumePoint> {
  const {readResumePoint} = await import('./resume-point.js')
  return readResumePoint(run)
}

/** The names, as in `meta.json`, of what two sets of options do not share. */
export async function planDifferences(left: BenchOptions, right: BenchOptions): Promise<string[]> {
  const {differencesOf} = await import('./stored-plan.js')
  return differencesOf(left, right)
}
