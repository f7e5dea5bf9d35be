/** What was seen at one value of the axis. */
export interface KneeObservation {
  readonly value: number
  /** How much longer than the standard it ran: 1, 2, 4, 8. */
  readonly length: number
  readonly verdict: 'PASS' | 'FAIL' | 'UNSURE'
}

export interface KneeSearch {
  /** The first value that is tried. */
  readonly from: number
  /** Nothing above is tried. */
  readonly most: number
  /** The bracket is closed when its ends are within this share of each other, such as 0.05. */
  readonly precision: number
  /** Only whole values make sense. */
  readonly isWhole: boolean
}

export type KneeStep =
  | {readonly kind: 'measure'; readonly value: number; readonly length: number}
  /**
   * The highest value that passed, and the lowest that failed; null where none did. The knee lies from `best` on and below
   * `failing`.
   */
  | {readonly kind: 'done'; readonly best: number | null; readonly failing: number | null}

/** An undecided value is run up to this many times as long before it counts as failed. */
const LONGEST = 8
const GROWTH = 2
/** A start that fails is halved at most so often. */
const MOST_HALVINGS = 10

/**
 * Decides the next run of a search for the highest value that keeps all goals: doubling until one fails (halving while even
 * the first does), then bisecting on the logarithm until the bracket is within `precision`. What cannot be decided is run
 * longer, and fails when it still cannot.
 *
 * A pure function of what was seen, so that a search goes on where it was cut off.
 */
export function nextKneeStep(seen: readonly KneeObservation[], search: KneeSearch): KneeStep {
  const verdicts = new Map<number, KneeObservation>()
  for (const one of seen) {
    const before = verdicts.get(one.value)
    if (before === undefined || one.length >= before.length) verdicts.set(one.value, one)
  }
  for (const {value, verdict, length} of verdicts.values()) {
    if (verdict === 'UNSURE' && length < LONGEST) return {kind: 'measure', value, length: length * 2}
  }
  const values = (isPass: boolean): number[] =>
    [...verdicts.values()].filter(({verdict}) => (verdict === 'PASS') === isPass).map(({value}) => value)
  const failing = least(values(false))
  // A value above one that failed passed by luck.
  const best = most(values(true).filter(value => failing === null || value < failing))
  const next = nextValue(best, failing, verdicts.size, search)
  return next === null || verdicts.has(next)
    ? {kind: 'done', best, failing}
    : {kind: 'measure', value: next, length: 1}
}

function nextValue(
  best: number | null,
  failing: number | null,
  count: number,
  search: KneeSearch,
): number | null {
  const {from, precision, isWhole} = search
  const fit = (value: number): number => (isWhole ? Math.max(1, Math.round(value)) : value)
  if (best === null && failing === null) return fit(from)
  if (best === null)
    return count > MOST_HALVINGS || (isWhole && failing === 1) ? null : fit(failing! / GROWTH)
  if (failing === null) return best >= search.most ? null : fit(Math.min(search.most, best * GROWTH))
  if (failing <= best * (1 + precision) || (isWhole && failing - best <= 1)) return null
  return fit(Math.sqrt(best * failing))
}

function least(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.min(...values)
}

function most(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.max(...values)
}
