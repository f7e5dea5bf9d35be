import {ValidationError} from '../lib/foundation/index.js'
import type {GateVerdict} from '../lib/gate/index.js'

/** One line an objective: `PASS          p95(ttft) <= 500ms: 412 ms <= 500 ms (95 % CI 401…425, n=500)`. */
export function sloLines({objectives}: GateVerdict): string[] {
  return objectives.map(
    ({verdict, objective, reason}) => `${verdict.padEnd(12)}  ${objective.text}: ${reason}`,
  )
}

/** The error to leave with; null when all is well, or undecided and that is allowed. */
export function missedObjectives(
  {verdict, objectives}: GateVerdict,
  allowsInconclusive: boolean,
): ValidationError | null {
  const named = (wanted: string): string =>
    objectives
      .filter(one => one.verdict === wanted)
      .map(({objective, reason}) => `${objective.text} (${reason})`)
      .join(', ')
  if (verdict === 'FAIL') return new ValidationError('SLO_MISSED', `the run misses ${named('FAIL')}`)
  if (verdict !== 'INCONCLUSIVE' || allowsInconclusive) return null
  return new ValidationError('SLO_INCONCLUSIVE', `the run does not decide ${named('INCONCLUSIVE')}`, {
    suggestions: ['more requests make the interval smaller', '--allow-inconclusive lets it through'],
  })
}
