import {ConfigurationError} from '../foundation/index.js'

export const OPERATORS = ['<=', '<', '>=', '>'] as const
export type Operator = (typeof OPERATORS)[number]

/** What a limit was given in; null for a bare number, which is in the figure's own unit. */
export type UnitKind = 'time' | 'share' | 'rate' | null

/** One promise about a run, such as `p95(ttft) <= 500ms`. */
export interface Objective {
  /** As the user wrote it, or its short form. */
  readonly text: string
  /** A name of `metrics` in results.json, or one of its flat keys. */
  readonly metric: string
  /** `p95`, `mean` …; null where the figure is one number. */
  readonly statistic: string | null
  readonly operator: Operator
  /** Times in ms, shares 0–1, rates per second. */
  readonly limit: number
  readonly unitKind: UnitKind
  /** `service` counts a time from the send also where requests had a schedule; null from the schedule where there is one. */
  readonly on: 'service' | null
}

const SHORT_FORM =
  /^(?:(?<statistic>[a-z][\w.]*)\(\s*(?<inner>[\w$]+)\s*\)|(?<plain>[\w$]+))\s*(?<operator><=|>=|<|>|≤|≥)\s*(?<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(?<unit>\S+?)?(?:\s+on\s+(?<on>service))?$/i
const STATISTIC = /^(?:mean|std|min|max|p\d{1,2}|p99_9)$/
const UNITS: Readonly<Record<string, {readonly kind: Exclude<UnitKind, null>; readonly factor: number}>> = {
  us: {kind: 'time', factor: 0.001},
  µs: {kind: 'time', factor: 0.001},
  ms: {kind: 'time', factor: 1},
  s: {kind: 'time', factor: 1000},
  '%': {kind: 'share', factor: 0.01},
  '/s': {kind: 'rate', factor: 1},
  'req/s': {kind: 'rate', factor: 1},
  'requests/s': {kind: 'rate', factor: 1},
  'tok/s': {kind: 'rate', factor: 1},
  'tokens/s': {kind: 'rate', factor: 1},
}

/** The parts of an objective as a file gives them. */
export interface ObjectiveParts {
  readonly metric: string
  readonly statistic: string | null
  readonly operator: Operator
  readonly value: number
  readonly unit: string | null
  readonly on: 'service' | null
}

/**
 * Reads `p95(ttft) <= 500ms`, `error_rate < 0.5%`, `goodput >= 12/s`, and `p95(ttft) <= 500ms on service`.
 *
 * @throws ConfigurationError `SLO_INVALID`
 */
export function parseObjective(text: string): Objective {
  const parts = SHORT_FORM.exec(text.trim())?.groups
  if (!parts) {
    throw new ConfigurationError('SLO_INVALID', `'${text}' is not an objective`, {
      suggestions: ['write such as: p95(ttft) <= 500ms, error_rate < 0.5%, request_throughput >= 12/s'],
    })
  }
  const operator = parts['operator']!.replace('≤', '<=').replace('≥', '>=') as Operator
  return makeObjective(
    {
      metric: parts['inner'] ?? parts['plain']!,
      statistic: parts['statistic'] ?? null,
      operator,
      value: Number(parts['number']),
      unit: parts['unit']?.trim() ?? null,
      on: parts['on'] === undefined ? null : 'service',
    },
    text.trim(),
  )
}

/** @throws ConfigurationError `SLO_INVALID` for a statistic or a unit that nobody knows */
export function makeObjective(
  {metric, statistic, operator, value, unit, on}: ObjectiveParts,
  text?: string,
): Objective {
  const known = statistic?.toLowerCase().replace('.', '_').replace(/^avg$/, 'mean') ?? null
  if (known !== null && !STATISTIC.test(known)) {
    throw new ConfigurationError('SLO_INVALID', `'${statistic}' is not a statistic`, {
      suggestions: ['one of p50, p90, p95, p99, p99.9, mean, min, max, std'],
    })
  }
  const found = unit === null ? null : UNITS[unit.toLowerCase()]
  if (found === undefined) {
    throw new ConfigurationError('SLO_INVALID', `'${unit}' is not a unit`, {
      suggestions: [`one of ${Object.keys(UNITS).join(', ')}, or none for the figure's own`],
    })
  }
  const name = known === null ? metric : `${known}(${metric})`
  return {
    text: text ?? `${name} ${operator} ${value}${unit ?? ''}${on === null ? '' : ` on ${on}`}`,
    metric,
    statistic: known,
    operator,
    limit: value * (found?.factor ?? 1),
    unitKind: found?.kind ?? null,
    on,
  }
}

/** Whether a value keeps to an objective. */
export function holds(value: number, {operator, limit}: Pick<Objective, 'operator' | 'limit'>): boolean {
  switch (operator) {
    case '<=':
      return value <= limit
    case '<':
      return value < limit
    case '>=':
      return value >= limit
    case '>':
      return value > limit
  }
}
