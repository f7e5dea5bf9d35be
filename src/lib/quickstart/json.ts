import {heldBytes, segmentJson, type SegmentJson} from '../segments/index.js'
import type {RunResults} from '../runs/index.js'
import {hasObeyed, type QuickstartOutcome} from './run-quickstart.js'

/** The tour on the wire. */
export interface QuickstartJson {
  readonly engine: {readonly url: string; readonly pid: number; readonly segment: string}
  /** The engine's segment before the benchmark. */
  readonly segment: SegmentJson
  readonly limit: {
    readonly previous_limit_bytes: bigint
    readonly limit_bytes: bigint
    /** Requests answered when it was written. */
    readonly at_request: number
    readonly held_before_bytes: bigint
    readonly held_after_bytes: bigint
    readonly obeyed: boolean
    readonly obeyed_after_ms: number
  }
  readonly performance: RunResults['performance']
  readonly tokens_per_sec: number | null
  readonly requests: RunResults['requests']
  readonly run_dir: string
  readonly report: string
  /** Commands to try after it. */
  readonly next: readonly string[]
}

export function quickstartJson(outcome: QuickstartOutcome, next: readonly string[]): QuickstartJson {
  const {engine, segment, limit, results} = outcome
  return {
    engine: {url: engine.url, pid: engine.pid, segment: segment.name},
    segment: segmentJson(segment),
    limit: {
      previous_limit_bytes: limit.before.limitBytes,
      limit_bytes: limit.limitBytes,
      at_request: limit.answeredAtChange,
      held_before_bytes: heldBytes(limit.before),
      held_after_bytes: heldBytes(limit.after),
      obeyed: hasObeyed(limit),
      obeyed_after_ms: Math.round(limit.obeyedAfterMs),
    },
    performance: results.performance,
    tokens_per_sec: results.tokens_per_sec,
    requests: results.requests,
    run_dir: outcome.run.path,
    report: outcome.reportPath,
    next,
  }
}
