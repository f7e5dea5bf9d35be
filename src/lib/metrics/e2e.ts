import type {RequestTimes} from './request-times.js'
import {since} from './ttft.js'

/** End-to-end latency, ms: last token-bearing chunk − send; without stream, end of body − send. */
export function e2eMs(request: RequestTimes): number | null {
  return since(lastAnswerAtMs(request), request.sentAtMs)
}

/** End-to-end latency as the user met it, ms: counted from the scheduled time. */
export function e2eSchedMs(request: RequestTimes): number | null {
  return since(lastAnswerAtMs(request), request.scheduledAtMs)
}

/** End of body − send, ms: `latency_ms` of upstream's files. */
export function bodyLatencyMs({doneAtMs, sentAtMs}: RequestTimes): number | null {
  return since(doneAtMs, sentAtMs)
}

/**
 * Normalised latency, ms per output token: e2e / n.
 *
 * @returns null without output tokens
 * @see Yu et al., Orca, OSDI 2022, section 6; kubernetes-sigs/inference-perf calls it NTPOT
 */
export function normLatencyMs(request: RequestTimes): number | null {
  const e2e = e2eMs(request)
  const tokens = request.completionTokens
  return e2e === null || tokens === null || tokens === 0 ? null : e2e / tokens
}

function lastAnswerAtMs({lastTokenAtMs, doneAtMs}: RequestTimes): number | null {
  return lastTokenAtMs ?? doneAtMs
}
