import {createHash} from 'node:crypto'
import {ConfigurationError} from '../foundation/index.js'
import type {TokenizerChoice} from '../tokens/index.js'
import {sessionLengths, type Workload, type WorkloadSpec} from '../workloads/index.js'
import {arrivalTimesMs, isRateStage, slotStages, type Pattern, type Stage} from './arrivals.js'

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
  /** Requests that differ: in length, in what they share, in turns, or as a file says. */
  | {readonly kind: 'workload'; readonly spec: WorkloadSpec}

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
  /** Ask the server to count its tokens in every chunk, so that gaps are known per token and not only per chunk. */
  readonly isItlExact: boolean
  /** Counts prompts and answers where the server does not; null for none. */
  readonly tokenizer: TokenizerChoice | null
  /** How the length of an answer is asked for: the older name, or the one that newer servers may insist on. */
  readonly lengthKey: 'max_tokens' | 'max_completion_tokens'
  /** Header that names the conversation, for gateways that keep it with one server; null sends none. */
  readonly sessionHeader: string | null
  /** Sent with every request, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
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
  /** Share of the measured requests whose client hangs up, and how long after it was sent. */
  readonly cancelShare: number
  readonly cancelAfterMs: number
  /** `per-request` opens one for each, outside its clock. */
  readonly connections: 'kept' | 'per-request'
  /** Which of several servers a conversation goes to. */
  readonly urlOrder: 'in-turn' | 'random'
  readonly burstiness: number
  readonly rampFromPerSecond: number
  readonly onSeconds: number
  readonly offSeconds: number
  /** Rate of the off phases. */
  readonly offRatePerSecond: number
  /** Of the pattern `stages`; empty otherwise. */
  readonly stages: readonly Stage[]
  /** Stretch drawn times so that the last lies at the planned end. */
  readonly isNormalized: boolean
  /** Closed loop: the first requests of the slots are spread over this time. */
  readonly rampUpMs: number
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
  /** Each of `concurrency` users sends so long after its last request, or when that is answered; null for any other load. */
  readonly userGapMs: number | null
  /** Of these, `users` counts only some: the first of them, and every so-manieth after. One process has all. */
  readonly users: {readonly first: number; readonly step: number; readonly of: number}
  readonly requests: number
  readonly concurrency: number
  readonly maxInFlight: number | null
  readonly warmupRequests: number
  /** Planned mean rate; null in a closed loop. */
  readonly ratePerSecond: number | null
  /** Planned length; in a closed loop a limit, null for none. */
  readonly durationMs: number | null
  /** When each session begins, milliseconds since the measured phase began; null in a closed loop. */
  readonly timesMs: Float64Array<ArrayBuffer> | null
  /** SHA-256 of the send times: two runs with the same one were told to send at the same instants. */
  readonly scheduleSha256: string | null
  readonly request: RequestShape
  /** null when all requests are alike but for their words. */
  readonly workload: Workload | null
  /** Requests of each session, in order; null when each has one. A session's later turns follow its answers. */
  readonly sessions: readonly number[] | null
  /** SHA-256 of everything that is sent, words left out; null without a workload. */
  readonly workloadSha256: string | null
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
export function planBench(options: BenchOptions, workload: Workload | null = null): BenchPlan {
  const {pattern, concurrency, ratePerSecond, durationSeconds} = options
  requirePositive('concurrency', concurrency)
  requirePositive('rate', ratePerSecond)
  requirePositive('duration', durationSeconds)
  requirePositive('max tokens', options.request.maxTokens)
  requirePositive('burstiness', options.burstiness)
  requirePositive('on seconds', options.onSeconds)
  const requests = workload?.items.length ?? options.requests ?? requestsOf(ratePerSecond, durationSeconds)
  requirePositive('requests', requests)

  const {request, limits, arrivalSeed, promptSeed, warmupRequests} = options
  const lengths = workload === null ? null : sessionLengths(workload)
  // What begins on its own: turns follow answers.
  const starts = lengths?.length ?? requests
  const sessions = lengths?.some(length => length > 1) === true ? lengths : null
  const workloadSha256 = workload && createHash('sha256').update(JSON.stringify(workload.items)).digest('hex')
  const said = {request, workload, sessions, workloadSha256}
  const alone = {userGapMs: null, users: {first: 0, step: 1, of: 1}}
  const common = {
    options,
    pattern,
    requests,
    warmupRequests,
    ...alone,
    ...said,
    limits,
    arrivalSeed,
    promptSeed,
  }
  if (pattern === 'steady' && ratePerSecond === null) {
    return {
      ...common,
      mode: 'closed',
      concurrency: Math.min(concurrency, starts),
      maxInFlight: null,
      ratePerSecond: null,
      durationMs: durationSeconds === null ? null : durationSeconds * 1000,
      timesMs: null,
      scheduleSha256: null,
    }
  }
  if (pattern === 'stages' && slotStages(options.stages).length > 0)
    return {...common, ...slotStagesPlan(options, starts)}
  if (pattern === 'users') return {...common, ...usersPlan(options, Math.min(concurrency, starts))}
  if (pattern === 'inf') {
    const timesMs = new Float64Array(starts)
    return {
      ...common,
      mode: 'open',
      concurrency: Math.min(starts, options.maxInFlight ?? starts),
      maxInFlight: options.maxInFlight,
      ratePerSecond: null,
      durationMs: null,
      timesMs,
      scheduleSha256: digestOf(timesMs),
    }
  }
  if (pattern === 'trace') return {...common, concurrency, ...traceSchedule(options, workload)}
  if (pattern === 'constant' && ratePerSecond === null) {
    throw new ConfigurationError('RATE_MISSING', 'a constant rate needs --rate', {
      suggestions: ['--rate 5', '--pattern steady keeps --concurrency requests in flight instead'],
    })
  }
  const seconds =
    pattern === 'stages'
      ? stagesSeconds(options)
      : ratePerSecond === null
        ? (durationSeconds ?? starts / (concurrency * RATE_PER_SLOT))
        : starts / ratePerSecond
  const rate = starts / seconds
  const drawnMs = arrivalTimesMs({
    pattern,
    requests: starts,
    ratePerSecond: rate,
    durationSeconds: seconds,
    seed: arrivalSeed,
    burstiness: options.burstiness,
    rampFromPerSecond: options.rampFromPerSecond,
    onSeconds: options.onSeconds,
    offSeconds: options.offSeconds,
    offRatePerSecond: options.offRatePerSecond,
    stages: options.stages.filter(isRateStage),
  })
  const timesMs = options.isNormalized ? stretchedTo(drawnMs, seconds * 1000) : drawnMs
  return {
    ...common,
    mode: 'open',
    concurrency,
    maxInFlight: options.maxInFlight,
    ratePerSecond: rate,
    durationMs: seconds * 1000,
    timesMs,
    scheduleSha256: digestOf(timesMs),
  }
}

/** A closed loop whose slots change in number. */
function slotStagesPlan(
  {stages}: BenchOptions,
  starts: number,
): ReturnType<typeof traceSchedule> & Pick<BenchPlan, 'concurrency'> {
  const slots = slotStages(stages)
  return {
    mode: 'closed',
    concurrency: Math.min(Math.max(...slots.map(({concurrency}) => concurrency)), starts),
    maxInFlight: null,
    ratePerSecond: null,
    durationMs: slots.reduce((sum, {seconds}) => sum + seconds * 1000, 0),
    timesMs: null,
    scheduleSha256: null,
  }
}

function usersPlan(
  {ratePerSecond, durationSeconds}: BenchOptions,
  users: number,
): ReturnType<typeof traceSchedule> & Pick<BenchPlan, 'concurrency' | 'userGapMs' | 'users'> {
  if (ratePerSecond === null) {
    throw new ConfigurationError('RATE_MISSING', 'users need --rate, which all of them send together', {
      suggestions: ['--concurrency 20 --rate 5: each of 20 users sends every 4 s'],
    })
  }
  return {
    mode: 'closed',
    concurrency: users,
    maxInFlight: null,
    ratePerSecond,
    userGapMs: (users * 1000) / ratePerSecond,
    users: {first: 0, step: 1, of: users},
    durationMs: durationSeconds === null ? null : durationSeconds * 1000,
    timesMs: null,
    scheduleSha256: null,
  }
}

function stagesSeconds({stages}: BenchOptions): number {
  if (stages.length === 0) {
    throw new ConfigurationError('STAGES_MISSING', 'the pattern stages needs --stages', {
      suggestions: ['--stages 2:30s,5:30s,10:60s'],
    })
  }
  return stages.reduce((sum, {seconds}) => sum + seconds, 0)
}

/** @see vllm-project/vllm:vllm/benchmarks/serve.py — get_request stretches its drawn times to end at n / r */
function stretchedTo(timesMs: Float64Array<ArrayBuffer>, endMs: number): Float64Array<ArrayBuffer> {
  const last = timesMs.at(-1) ?? 0
  return last === 0 ? timesMs : timesMs.map(at => (at * endMs) / last)
}

/** The times that a data set brings. */
function traceSchedule(
  {maxInFlight}: BenchOptions,
  workload: Workload | null,
): Pick<BenchPlan, 'mode' | 'maxInFlight' | 'ratePerSecond' | 'durationMs' | 'timesMs' | 'scheduleSha256'> {
  const timesMs = workload?.timesMs ?? null
  if (timesMs === null) {
    throw new ConfigurationError('TRACE_MISSING', 'the pattern trace needs a data set with times', {
      suggestions: ['--dataset mooncake --dataset-path trace.jsonl', '--pattern poisson --rate 5'],
    })
  }
  const durationMs = timesMs.at(-1)!
  const ratePerSecond = durationMs === 0 ? null : (timesMs.length * 1000) / durationMs
  return {mode: 'open', maxInFlight, ratePerSecond, durationMs, timesMs, scheduleSha256: digestOf(timesMs)}
}

function digestOf(timesMs: Float64Array): string {
  return createHash('sha256').update(Buffer.from(timesMs.buffer)).digest('hex')
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
