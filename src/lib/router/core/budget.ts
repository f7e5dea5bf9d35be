import type {ModelRun} from './model-run.js'

/** Who makes room in a group. */
export interface Victims {
  /** Least recently used first; nobody runs anything on them. */
  readonly sleep: readonly ModelRun[]
  /** Busy ones that have had their time: they end what runs and take nothing new. */
  readonly drain: readonly ModelRun[]
  /** When somebody more can be chosen; Infinity when waiting changes nothing. */
  readonly retryMs: number
}

/**
 * Pure: which awake models of a group make room for `needed` others.
 *
 * Idle ones go first, the least recently used before the others; where these do not suffice, busy ones are drained in the
 * same order, so that a model with unending traffic cannot keep the others asleep for ever. Nobody goes before
 * `minAwakeMs` are over: each turn is worth its wake-up.
 *
 * @param awake the group's models that are awake and not yet chosen
 */
export function chooseVictims(
  awake: readonly ModelRun[],
  needed: number,
  minAwakeMs: number,
  nowMs: number,
): Victims {
  const willing = awake.filter(({plan}) => plan.canSleep && !plan.staysAwake)
  const notBefore = (run: ModelRun): number => Math.max(run.phaseSinceMs + minAwakeMs, run.sleepNotBeforeMs)
  const ready = willing
    .filter(run => notBefore(run) <= nowMs)
    .sort((a, b) => Number(a.isBusy) - Number(b.isBusy) || a.lastActivityMs - b.lastActivityMs)
    .slice(0, Math.max(0, needed))
  const later = willing.map(notBefore).filter(atMs => atMs > nowMs)
  return {
    sleep: ready.filter(run => !run.isBusy),
    drain: ready.filter(run => run.isBusy),
    retryMs: ready.length < needed ? Math.min(Infinity, ...later) : Infinity,
  }
}
