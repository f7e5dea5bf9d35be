import * as z from 'zod'
import {checkYaml, readYamlFile, type YamlFile} from '../config/index.js'
import {ConfigurationError} from '../foundation/index.js'
import {makeObjective, OPERATORS, parseObjective, type Objective} from './objective.js'

/**
 * Budgets of upstream's `slo.json`: each is the most that a figure may be.
 *
 * @see Siryoos/kserve-vllm-mini:tools/gate.py
 */
const BUDGETS: Readonly<Record<string, string>> = {
  p95_ms: 'p95_ms',
  error_rate: 'error_rate',
  $per_1k_tokens: 'cost_per_1k_tokens',
  cold_multiplier_max: 'cold_multiplier',
  Wh_per_1k_tokens_max: 'energy_wh_per_1k_tokens',
}
const FAIRNESS_BUDGETS: Readonly<Record<string, string>> = {
  tenant_p95_ms_max: 'tenant_p95_ms',
  throughput_share_diff_max: 'throughput_share_diff',
  guard_triggers_max: 'guard_triggers',
}

const entrySchema = z.strictObject({
  metric: z.string().min(1),
  stat: z.string().optional(),
  op: z.enum(OPERATORS),
  value: z.number(),
  unit: z.string().optional(),
  /** `run` takes a throughput over the whole run with its drain. */
  window: z.enum(['measure', 'run']).optional(),
  /** `user` counts from when a request was due, `service` from when it was sent; without either, from the schedule where there is one. */
  on: z.enum(['service', 'user']).optional(),
})

const budget = z.number().nonnegative()
/** Short forms and entries, each checked where its line is known. */
const listSchema = z.array(z.unknown()).min(1)
const budgetsSchema = z.strictObject({
  objectives: listSchema.optional(),
  ...Object.fromEntries(Object.keys(BUDGETS).map(name => [name, budget.optional()])),
  fairness: z
    .strictObject(Object.fromEntries(Object.keys(FAIRNESS_BUDGETS).map(name => [name, budget.optional()])))
    .optional(),
})

/**
 * The objectives of a YAML or JSON file: a list of short forms and entries, the same under `objectives`, and upstream's
 * budgets beside it.
 *
 * @throws ConfigurationError `CONFIG_UNREADABLE`, `YAML_INVALID`, `SLO_INVALID`, each with file and line
 */
export async function readSloFile(path: string): Promise<Objective[]> {
  const file = await readYamlFile(path)
  if (Array.isArray(file.value)) return objectivesAt(file, checkYaml(file, listSchema, 'SLO_INVALID'), [])
  const content = checkYaml(file, budgetsSchema, 'SLO_INVALID')
  const objectives = [
    ...budgetsOf(content, BUDGETS),
    ...budgetsOf(content.fairness ?? {}, FAIRNESS_BUDGETS),
    ...objectivesAt(file, content.objectives ?? [], ['objectives']),
  ]
  if (objectives.length > 0) return objectives
  throw new ConfigurationError('SLO_INVALID', `${path} has no objective`, {
    suggestions: ["objectives: ['p95(ttft) <= 500ms']"],
  })
}

function objectivesAt(file: YamlFile, entries: readonly unknown[], above: readonly string[]): Objective[] {
  return entries.map((entry, index) => {
    try {
      return objectiveOf(entry)
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      const line = file.lineOf([...above, index])
      throw new ConfigurationError('SLO_INVALID', `${file.source}:${line}: ${error.message}`, {
        suggestions: error.suggestions,
      })
    }
  })
}

function objectiveOf(entry: unknown): Objective {
  if (typeof entry === 'string') return parseObjective(entry)
  const {success, data, error} = entrySchema.safeParse(entry)
  if (!success) {
    const {path, message} = error.issues[0]!
    throw new ConfigurationError('SLO_INVALID', [path.join('.'), message].filter(Boolean).join(': '))
  }
  const {metric, stat, op, value, unit, window, on} = data
  const name = `${window === 'run' ? 'run_' : ''}${metric}${on === 'user' ? '_sched' : ''}`
  return makeObjective({
    ...{metric: name, statistic: stat ?? null, operator: op, value, unit: unit ?? null},
    on: on === 'service' ? on : null,
  })
}

function budgetsOf(
  values: Readonly<Record<string, unknown>>,
  names: Readonly<Record<string, string>>,
): Objective[] {
  return Object.entries(names).flatMap(([key, metric]) => {
    const value = values[key]
    if (typeof value !== 'number') return []
    return makeObjective({metric, statistic: null, operator: '<=', value, unit: null, on: null})
  })
}
