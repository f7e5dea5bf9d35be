import {Flags} from '@oclif/core'
import {ConfigurationError, parseDurationMs} from '../lib/foundation/index.js'
import type {Objective} from '../lib/gate/index.js'
import {SLO_METRICS, type SloLimits} from '../lib/metrics/index.js'

/** Goals of a good request, repeatable. */
export const sloFlag = Flags.string({
  description: `goal that a good request keeps, repeatable: ${SLO_METRICS.join(', ')}, as ttft<=500ms (or ttft:500, in ms, as vLLM writes it)`,
  helpValue: 'GOAL',
  multiple: true,
})

/** Goals of `bench`: of single requests, and of the run as a whole. */
export const benchSloFlag = Flags.string({
  description: `a goal of the run, such as 'p95(ttft) <= 500ms' or 'error_rate < 1%', or a file of them: judged at the end as kvctl gate does, and 5 when missed or undecided. Or a goal that a good request keeps, counted as goodput: ${SLO_METRICS.join(', ')}, as ttft<=500ms or ttft:500. Repeatable`,
  helpValue: 'GOAL',
  multiple: true,
})

/** What `--slo` asked for. */
export interface Goals {
  /** Of single requests; null without. */
  readonly limits: SloLimits | null
  /** Of the run. */
  readonly objectives: readonly Objective[]
}

/** @throws ConfigurationError `SLO_INVALID`, also for a file that is not readable */
export async function goalsOf(goals: readonly string[] | undefined): Promise<Goals> {
  const {parseObjective, readSloFile} = await import('../lib/gate/index.js')
  const given = goals ?? []
  const isOfRequests = (goal: string): boolean => REQUEST_GOAL.test(goal.trim())
  const objectives: Objective[] = []
  for (const goal of given.filter(one => !isOfRequests(one))) {
    if (/\.(?:ya?ml|json)$/.test(goal)) objectives.push(...(await readSloFile(goal)))
    else objectives.push(parseObjective(goal))
  }
  const ofRequests = given.filter(isOfRequests)
  return {limits: sloOf(ofRequests.length === 0 ? undefined : ofRequests), objectives}
}

const REQUEST_GOAL = new RegExp(`^(?:${SLO_METRICS.join('|')})\\s*[:<]`)

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
      suggestions: [
        '--slo "ttft<=500ms" --slo "tpot<=50ms"',
        'goals of the run as a whole: kvctl gate --objective "p95(ttft) <= 500ms"',
      ],
    },
  )
}
