import {ConfigurationError} from '../foundation/index.js'
import {findFigure, type GatedFigure, type GatedResults} from './figure.js'
import {holds, type Objective, type UnitKind} from './objective.js'

export type Verdict = 'PASS' | 'FAIL' | 'INCONCLUSIVE' | 'SKIPPED'

/** An objective, held against a run. */
export interface JudgedObjective {
  readonly objective: Objective
  readonly figure: GatedFigure
  readonly verdict: Verdict
  /** One sentence with the numbers that decided. */
  readonly reason: string
}

export interface GateVerdict {
  /** `SKIPPED` where every objective was. */
  readonly verdict: Verdict
  readonly objectives: readonly JudgedObjective[]
}

export interface GateOptions {
  /** A figure that the run does not have is skipped; otherwise it fails. */
  readonly allowsMissing: boolean
  /** A pass stands although the run is doubtful: what a client adds to times only makes them longer. */
  readonly keepsPasses?: boolean
}

/**
 * Holds a run against objectives. Where a figure has a 95 % interval the whole of it decides: PASS when all of it is within
 * the limit, FAIL when all of it is beyond, else INCONCLUSIVE. A time or rate of a run that the load generator itself held back
 * is INCONCLUSIVE, and so is one that passed although the run never stood still. The whole is as bad as its worst part.
 *
 * @throws ConfigurationError `SLO_INVALID` when a limit's unit does not fit its figure
 */
export function judgeRun(
  results: GatedResults,
  objectives: readonly Objective[],
  {allowsMissing, keepsPasses = false}: GateOptions,
): GateVerdict {
  const judged = objectives.map(objective => {
    const figure = findFigure(results, objective)
    requireUnit(objective, figure)
    const {verdict, reason} = judge(objective, figure, {...doubtOf(results), keepsPasses}, allowsMissing)
    return {objective, figure, verdict, reason}
  })
  const worst = (['FAIL', 'INCONCLUSIVE', 'PASS'] as const).find(verdict =>
    judged.some(one => one.verdict === verdict),
  )
  return {verdict: worst ?? 'SKIPPED', objectives: judged}
}

function judge(
  objective: Objective,
  figure: GatedFigure,
  doubt: RunDoubt,
  allowsMissing: boolean,
): Pick<JudgedObjective, 'verdict' | 'reason'> {
  const {value, interval, hasTooFew} = figure
  if (value === null) {
    return {verdict: allowsMissing ? 'SKIPPED' : 'FAIL', reason: `the run has no ${nameOf(objective)}`}
  }
  const sentence = comparison(objective, figure)
  const byInterval =
    interval === null ? (holds(value, objective) ? 'PASS' : 'FAIL') : wholeInterval(interval, objective)
  const isDoubtful = isTimed(figure) && !(byInterval === 'PASS' && doubt.keepsPasses)
  if (isDoubtful && doubt.isClientLimited) {
    return {verdict: 'INCONCLUSIVE', reason: `${sentence}; the load generator itself was the limit`}
  }
  if (isDoubtful && doubt.isUnstable && byInterval === 'PASS') {
    return {
      verdict: 'INCONCLUSIVE',
      reason: `${sentence}; TTFT and load grew all the time, so a longer run would give more`,
    }
  }
  if (byInterval === 'PASS' && hasTooFew && interval === null) {
    return {verdict: 'INCONCLUSIVE', reason: `${sentence}; too few samples to bound it`}
  }
  return {verdict: byInterval, reason: sentence}
}

/** Why the times of a whole run may say nothing. */
interface RunDoubt {
  readonly isClientLimited: boolean
  readonly isUnstable: boolean
  readonly keepsPasses: boolean
}

function doubtOf({client_limited: isLimited, stability}: GatedResults): Omit<RunDoubt, 'keepsPasses'> {
  return {isClientLimited: isLimited ?? false, isUnstable: stability?.is_unstable ?? false}
}

function wholeInterval([low, high]: readonly [number, number | null], objective: Objective): Verdict {
  const isUpper = objective.operator.startsWith('<')
  // An upper end that is unknown lies at or beyond the largest sample.
  const [good, bad] = isUpper ? [high, low] : [low, high]
  if (good !== null && holds(good, objective)) return 'PASS'
  return bad !== null && !holds(bad, objective) ? 'FAIL' : 'INCONCLUSIVE'
}

function comparison({operator, limit}: Objective, figure: GatedFigure): string {
  const {value, unit, interval, count, isFromSchedule, tokensFrom} = figure
  const suffix = unit === null || unit === 'ratio' ? '' : ` ${unit}`
  const isKept = holds(value!, {operator, limit})
  const sign = isKept ? operator : {'<=': '>', '<': '>=', '>=': '<', '>': '<='}[operator]
  const range = interval && `95 % CI ${short(interval[0])}…${interval[1] === null ? '' : short(interval[1])}`
  const parts = [
    range,
    count === null ? null : `n=${count}`,
    isFromSchedule ? 'from the schedule' : null,
    tokensFrom === null ? null : `tokens from ${tokensFrom.replace('_', ' ')}`,
  ]
  const known = parts.filter(part => part !== null).join(', ')
  return `${short(value!)}${suffix} ${sign} ${short(limit)}${suffix}${known === '' ? '' : ` (${known})`}`
}

function short(value: number): string {
  return String(Number(value.toPrecision(6)))
}

function nameOf({metric, statistic}: Objective): string {
  return statistic === null ? metric : `${statistic}(${metric})`
}

function isTimed({unit}: GatedFigure): boolean {
  return unit !== null && (unit.startsWith('ms') || unit.endsWith('/s'))
}

const FITTING: Readonly<Record<Exclude<UnitKind, null>, RegExp>> = {
  time: /^ms\b/,
  share: /^ratio$/,
  rate: /\/s$/,
}

function requireUnit({text, unitKind}: Objective, {unit}: GatedFigure): void {
  if (unitKind === null || unit === null || FITTING[unitKind].test(unit)) return
  throw new ConfigurationError('SLO_INVALID', `'${text}' limits a figure in ${unit} by a ${unitKind}`)
}
