import {ValidationError} from '../foundation/index.js'
import type {RunResults} from '../runs/index.js'

type Validation = NonNullable<RunResults['validation']>

/** One line a rule: `PASS max_p95_latency_ms: p95_ms 812.4 ≤ 1000`. */
export function validationLines({rules}: Validation): string[] {
  return rules.map(rule => `${rule.passed ? 'PASS' : 'FAIL'} ${rule.rule}: ${comparison(rule)}`)
}

/** The error to leave with when a run misses rules of its profile, all of them named; null when it misses none. */
export function missedRules({metadata, validation}: RunResults): ValidationError | null {
  const missed = (validation?.rules ?? []).filter(({passed}) => !passed)
  if (missed.length === 0) return null
  const named = missed.map(rule => `${rule.rule} (${comparison(rule)})`).join(', ')
  const what = missed.length === 1 ? 'a rule' : `${missed.length} rules`
  const profile = metadata.profile === null ? 'its profile' : `profile ${metadata.profile}`
  return new ValidationError('VALIDATION_MISSED', `the run misses ${what} of ${profile}: ${named}`, {
    suggestions: ['look at report.html in the run directory', 'other limits in a profile of your own'],
  })
}

function comparison({rule, metric, value, limit, passed}: Validation['rules'][number]): string {
  if (metric === null) return 'no such rule is known'
  if (value === null) return `the run has no ${metric}`
  const isLeast = rule.startsWith('min_')
  const sign = passed ? (isLeast ? '≥' : '≤') : isLeast ? '<' : '>'
  return `${metric} ${value} ${sign} ${limit}`
}
