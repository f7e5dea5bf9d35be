import {Flags} from '@oclif/core'
import {ConfigurationError, parseDurationMs} from '../lib/foundation/index.js'
import {SLO_METRICS, type SloLimits} from '../lib/metrics/index.js'

/** Goals of a good request, repeatable. */
export const sloFlag = Flags.string({
  description: `goal that a good request keeps, repeatable: ${SLO_METRICS.join(', ')}, as ttft<=500ms (or ttft:500, in ms, as vLLM writes it)`,
  helpValue: 'GOAL',
  multiple: true,
})

/** @returns null without goals @throws ConfigurationError `SLO_INVALID` */
export function sloOf(goals: readonly string[] | undefined): SloLimits | null {
  if (goals === undefined) return null
  return Object.fromEntries(goals.flatMap(goal => goal.trim().split(/\s+(?=[a-z_]+[:<])/)).map(clauseOf))
}

function clauseOf(goal: string): [string, number] {
  const [, metric = '', sign, limit = ''] = /^([a-z0-9_]+)\s*(:|<=?)\s*(\S+)$/.exec(goal.trim()) ?? []
  const isKnown = (SLO_METRICS as readonly string[]).includes(metric)
  const ms = sign === ':' ? Number(limit) : isKnown ? parseDurationMs(limit) : NaN
  if (isKnown && ms > 0) return [metric, ms]
  throw new ConfigurationError(
    'SLO_INVALID',
    `--slo takes a goal of ${SLO_METRICS.join(', ')}, not '${goal}'`,
    {
      suggestions: ['--slo "ttft<=500ms" --slo "tpot<=50ms"', '--slo ttft:500'],
    },
  )
}
