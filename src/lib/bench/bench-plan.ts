import {createHash} from 'node:crypto'
import {ConfigurationError} from '../foundation/index.js'
import {arrivalTimesMs, type Pattern} from './arrivals.js'

/** Limits of one request, milliseconds; null is no limit. */
export interface TimeLimits {
  readonly connectMs: number | null
  readonly firstTokenMs: number | null
  readonly idleMs: number | null
  readonly totalMs: number | null
}

export type PromptSource =
  | {readonly kind: 'fixed'; readonly text: string}
  /** Words of a small dictionary behind a nonce of the request's own; as many as make about `tokens` tokens. */
  | {readonly kind: 'synthetic'; readonly tokens: number}

export type ApiKind = 'chat' | 'completions'

/** What every request of a run shares. */
export interface RequestShape {
  readonly api: ApiKind
  readonly isStreamed: boolean
  readonly maxTokens: number
  readonly temperature: number
  readonly topP: number | null
  /** Ask for exactly `maxTokens` tokens. */
  readonly ignoresEos: boolean
  readonly prompt: PromptSource
  /** Merged over the body last. */
  readonly extraBody: Readonly<Record<string, unknown>>
}

/** What the user asked for, after flags, environment, profile and defaults were weighed. */
export interface BenchOptions {
  readonly pattern: Pattern
  /** null only when `durationSeconds` and `ratePerSecond` say it. */
  readonly requests: number | null
  readonly concurrency: number
  readonly ratePerSecond: number | null
  readonly durationSeconds: number | null
  /** Open loop: in-flight cap; waiting for a free place then shows as lateness. null is no cap. */
  readonly maxInFlight: number | null
  readonly warmupRequests: number
  readonly burstiness: number
  readonly rampFromPerSecond: number
  readonly onSeconds: number
  readonly offSeconds: number
  readonly request: RequestShape
  readonly limits: TimeLimits
  readonly arrivalSeed: number
  readonly promptSeed: number
}

/**
 * A run decided down to its send times. Closed loop: `concurrency` slots send when their last request is done, until
 * `requests` or `durationMs` is reached. Open loop: `timesMs` says when, whatever the server does.
 */
export interface BenchPlan {
  /** What it was decided from. */
  readonly options: BenchOptions
  readonly pattern: Pattern
  readonly mode: 'closed' | 'open'
  readonly requests: number
  readonly concurrency: number
  readonly maxInFlight: number | null
  readonly warmupRequests: number
  /** Planned mean rate; null in a closed loop. */
  readonly ratePerSecond: number | null
  /** Planned length; in a closed loop a limit, null for none. */
  readonly durationMs: number | null
  /** Milliseconds since the measured phase began; null in a closed loop. */
  readonly timesMs: Float64Array<ArrayBuffer> | null
  /** SHA-256 of the send times: two runs with the same one were told to send at the same instants. */
  readonly scheduleSha256: string | null
  readonly request: RequestShape
  readonly limits: TimeLimits
  readonly arrivalSeed: number
  readonly promptSeed: number
}

/** Upstream's guess of what a slot can do, kept for patterns that are asked for without a rate. */
const RATE_PER_SLOT = 1

/**
 * Decides mode, rate and length:
 * a rate means open loop, for n/r seconds (or n = r·D requests when only a duration is given); `steady` without a rate is
 * the closed loop; other patterns without one are an open loop over `durationSeconds`, else over n / concurrency seconds.
 *
 * @throws ConfigurationError when a figure is missing or out of range
 * @see Siryoos/kserve-vllm-mini:scripts/loadtest.py — n / concurrency seconds
 */
export function planBench(options: BenchOptions): BenchPlan {
  const {pattern, concurrency, ratePerSecond, durationSeconds} = options
  requirePositive('concurrency', concurrency)
  requirePositive('rate', ratePerSecond)
  requirePositive('duration', durationSeconds)
  requirePositive('max tokens', options.request.maxTokens)
  requirePositive('burstiness', options.burstiness)
  requirePositive('on seconds', options.onSeconds)
  const requests = options.requests ?? requestsOf(ratePerSecond, durationSeconds)
  requirePositive('requests', requests)

  const {request, limits, arrivalSeed, promptSeed, warmupRequests} = options
  const common = {options, pattern, requests, warmupRequests, request, limits, arrivalSeed, promptSeed}
  if (pattern === 'steady' && ratePerSecond === null) {
    return {
      ...common,
      mode: 'closed',
      concurrency: Math.min(concurrency, requests),
      maxInFlight: null,
      ratePerSecond: null,
      durationMs: durationSeconds === null ? null : durationSeconds * 1000,
      timesMs: null,
      scheduleSha256: null,
    }
  }
  if (pattern === 'constant' && ratePerSecond === null) {
    throw new ConfigurationError('RATE_MISSING', 'a constant rate needs --rate', {
      suggestions: ['--rate 5', '--pattern steady keeps --concurrency requests in flight instead'],
    })
  }
  const seconds =
    ratePerSecond === null
      ? (durationSeconds ?? requests / (concurrency * RATE_PER_SLOT))
      : requests / ratePerSecond
  const rate = requests / seconds
  const timesMs = arrivalTimesMs({
    pattern,
    requests,
    ratePerSecond: rate,
    durationSeconds: seconds,
    seed: arrivalSeed,
    burstiness: options.burstiness,
    rampFromPerSecond: options.rampFromPerSecond,
    onSeconds: options.onSeconds,
    offSeconds: options.offSeconds,
  })
  return {
    ...common,
    mode: 'open',
    concurrency,
    maxInFlight: options.maxInFlight,
    ratePerSecond: rate,
    durationMs: seconds * 1000,
    timesMs,
    scheduleSha256: createHash('sha256').update(Buffer.from(timesMs.buffer)).digest('hex'),
  }
}

function requestsOf(ratePerSecond: number | null, durationSeconds: number | null): number {
  if (ratePerSecond === null || durationSeconds === null) {
    throw new ConfigurationError('REQUESTS_MISSING', 'how many requests to send is not said', {
      suggestions: ['--requests 200', '--rate 5 --duration 60s'],
    })
  }
  return Math.max(1, Math.round(ratePerSecond * durationSeconds))
}

function requirePositive(name: string, value: number | null): void {
  if (value === null || (Number.isFinite(value) && value > 0)) return
  throw new ConfigurationError('PLAN_INVALID', `${name} must be greater than 0, not ${value}`)
}
