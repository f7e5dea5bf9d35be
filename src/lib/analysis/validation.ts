import {evaluateValidation, type ValidatedFigures} from '../metrics/index.js'
import type {RunMeta, RunResults} from '../runs/index.js'

/** How a run stands to the rules of its profile; null when the profile has none. */
export function validationJson(
  figures: ValidatedFigures,
  profile: RunMeta['profile'],
): RunResults['validation'] {
  const verdicts = evaluateValidation(figures, profile?.validation ?? {})
  if (verdicts.length === 0) return null
  return {
    passed: verdicts.every(({isPassed}) => isPassed),
    rules: verdicts.map(({isPassed, ...verdict}) => ({...verdict, passed: isPassed})),
  }
}
