import type {GateVerdict} from './judge.js'
import type {GatedRun} from './junit.js'

/** A gate's verdict as JSON. */
export interface GateJson {
  readonly verdict: string
  readonly run_id: string | null
  readonly results: string
  readonly objectives: readonly {
    readonly objective: string
    readonly metric: string
    readonly statistic: string | null
    readonly operator: string
    readonly limit: number
    readonly value: number | null
    readonly unit: string | null
    readonly interval: readonly [number, number | null] | null
    readonly count: number | null
    readonly verdict: string
    readonly reason: string
  }[]
}

export function gateJson({verdict, objectives}: GateVerdict, {runId, path}: GatedRun): GateJson {
  return {
    verdict,
    run_id: runId,
    results: path,
    objectives: objectives.map(({objective, figure, ...judged}) => ({
      objective: objective.text,
      metric: objective.metric,
      statistic: objective.statistic,
      operator: objective.operator,
      limit: objective.limit,
      value: figure.value,
      unit: figure.unit,
      interval: figure.interval,
      count: figure.count,
      ...judged,
    })),
  }
}
