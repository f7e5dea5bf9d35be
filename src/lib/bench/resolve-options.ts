import {randomInt} from 'node:crypto'
import {ConfigurationError} from '../foundation/index.js'
import type {WorkloadSpec} from '../workloads/index.js'
import {isRateStage, meanOfRamp, slotStages, stageCounts, type Pattern, type Stage} from './arrivals.js'
import type {ApiKind, BenchOptions, PromptSource, RequestShape} from './bench-plan.js'

/** What one place (the command line, a profile) says about a load; absent or null means it says nothing. */
export interface LoadWishes {
  readonly pattern?: Pattern | null
  readonly requests?: number | null
  readonly concurrency?: number | null
  readonly ratePerSecond?: number | null
  readonly durationSeconds?: number | null
  readonly warmupRequests?: number | null
  readonly maxTokens?: number | null
  readonly promptTokens?: number | null
  readonly prompt?: string | null
  readonly temperature?: number | null
  readonly topP?: number | null
  readonly isStreamed?: boolean | null
  readonly workload?: WorkloadSpec | null
  /** Merged over the body of every request. */
  readonly extraBody?: Readonly<Record<string, unknown>>
}

/** What only the command line can say. Limits in milliseconds, 0 for none. */
export interface LoadFlags extends LoadWishes {
  readonly maxInFlight: number | null
  readonly cancelShare: number
  readonly cancelAfterMs: number
  readonly connections: BenchOptions['connections']
  readonly urlOrder: BenchOptions['urlOrder']
  readonly burstiness: number
  readonly rampFromPerSecond: number
  /** At which a ramp ends, instead of its mean. */
  readonly rampToPerSecond: number | null
  readonly onSeconds: number
  readonly offSeconds: number
  readonly offRatePerSecond: number
  readonly stages: readonly Stage[]
  readonly isNormalized: boolean
  readonly rampUpMs: number
  readonly api: ApiKind
  readonly ignoresEos: boolean
  readonly isItlExact: boolean
  readonly tokenizer: RequestShape['tokenizer']
  readonly lengthKey: RequestShape['lengthKey']
  readonly sessionHeader: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly seed: number | null
  readonly timeoutMs: number
  readonly timeoutConnectMs: number
  readonly timeoutFirstTokenMs: number
  readonly timeoutIdleMs: number
}

/** What a load is for which nobody asks for anything special. */
export const PLAIN_LOAD = {
  maxInFlight: null,
  cancelShare: 0,
  cancelAfterMs: 1000,
  connections: 'kept',
  urlOrder: 'in-turn',
  burstiness: 1,
  rampFromPerSecond: 0,
  rampToPerSecond: null,
  onSeconds: 1,
  offSeconds: 1,
  offRatePerSecond: 0,
  stages: [],
  isNormalized: false,
  rampUpMs: 0,
  isItlExact: false,
  tokenizer: null,
  lengthKey: 'max_tokens',
  sessionHeader: null,
  headers: {},
} as const satisfies Partial<LoadFlags>

const DEFAULTS = {
  pattern: 'steady',
  requests: 200,
  concurrency: 10,
  maxTokens: 100,
  promptTokens: 128,
  temperature: 0,
} as const

/** Arrivals repeat by default; prompts do not, because the server's prefix cache would know them. */
const ARRIVAL_SEED = 42

/**
 * Weighs the command line against the profile against the defaults. A profile's duration is a limit of its own pattern: with
 * another pattern on the command line it says nothing.
 *
 * @param drawSeed a fresh seed for the prompts of a run without `--seed`
 */
export function resolveBenchOptions(
  flags: LoadFlags,
  profile: LoadWishes,
  drawSeed: () => number = () => randomInt(2 ** 31),
): BenchOptions {
  const pick = <T>(flag: T | null | undefined, inProfile: T | null | undefined, otherwise: T): T =>
    flag ?? inProfile ?? otherwise
  // Stages say how the load is: the name of the pattern adds nothing.
  const asked = flags.pattern ?? (flags.stages.length > 0 ? 'stages' : null)
  if (asked !== 'stages' && flags.stages.length > 0) {
    throw new ConfigurationError('USAGE', `--stages is no part of --pattern ${asked}`, {
      suggestions: ['leave out one of the two'],
    })
  }
  const pattern = pick<Pattern>(asked, profile.pattern, DEFAULTS.pattern)
  const hasOwnPattern = asked !== null && asked !== profile.pattern
  const {rampToPerSecond: to} = flags
  const ratePerSecond =
    to === null
      ? pick<number | null>(flags.ratePerSecond, profile.ratePerSecond, null)
      : meanOfRamp(pattern, flags.rampFromPerSecond, to)
  const profileSeconds = hasOwnPattern ? null : profile.durationSeconds
  const isCountedByTime = ratePerSecond !== null && flags.durationSeconds != null
  const off = (ms: number): number | null => (ms === 0 ? null : ms)
  const hasWorkload = flags.workload != null || profile.workload != null
  const staged = pattern === 'stages' ? requestsOfStages(flags.stages, hasWorkload) : null
  const requests =
    isCountedByTime || staged !== null
      ? (flags.requests ?? staged)
      : pick(flags.requests, profile.requests, DEFAULTS.requests)
  return {
    pattern,
    requests,
    concurrency: pick(flags.concurrency, profile.concurrency, DEFAULTS.concurrency),
    ratePerSecond,
    durationSeconds: pick<number | null>(flags.durationSeconds, profileSeconds, null),
    maxInFlight: flags.maxInFlight,
    warmupRequests: pick(flags.warmupRequests, profile.warmupRequests, 0),
    cancelShare: flags.cancelShare,
    cancelAfterMs: flags.cancelAfterMs,
    connections: flags.connections,
    urlOrder: flags.urlOrder,
    burstiness: flags.burstiness,
    rampFromPerSecond: flags.rampFromPerSecond,
    onSeconds: flags.onSeconds,
    offSeconds: flags.offSeconds,
    offRatePerSecond: flags.offRatePerSecond,
    stages: flags.stages,
    isNormalized: flags.isNormalized,
    rampUpMs: flags.rampUpMs,
    request: {
      api: flags.api,
      isStreamed: pick(flags.isStreamed, profile.isStreamed, true),
      maxTokens: pick(flags.maxTokens, profile.maxTokens, DEFAULTS.maxTokens),
      temperature: pick(flags.temperature, profile.temperature, DEFAULTS.temperature),
      topP: pick<number | null>(flags.topP, profile.topP, null),
      ignoresEos: flags.ignoresEos,
      prompt: promptOf(flags, profile, requests),
      isItlExact: flags.isItlExact,
      tokenizer: flags.tokenizer,
      lengthKey: flags.lengthKey,
      sessionHeader: flags.sessionHeader,
      headers: flags.headers,
      extraBody: {...profile.extraBody, ...flags.extraBody},
    },
    limits: {
      connectMs: off(flags.timeoutConnectMs),
      firstTokenMs: off(flags.timeoutFirstTokenMs),
      idleMs: off(flags.timeoutIdleMs),
      totalMs: off(flags.timeoutMs),
    },
    arrivalSeed: flags.seed ?? ARRIVAL_SEED,
    promptSeed: flags.seed ?? drawSeed(),
  }
}

/** More than a slot gets answered in a second: stages of a closed loop end by their time. */
const [MOST_PER_SLOT_SECOND, MOST_STAGED] = [100, 1_000_000]

/** How many requests stages may need; null where they do not say. */
function requestsOfStages(stages: readonly Stage[], hasWorkload: boolean): number | null {
  const slots = slotStages(stages)
  if (stages.length === 0 || (slots.length > 0 && hasWorkload)) return null
  if (slots.length === 0) return sumOf(stageCounts(stages.filter(isRateStage)))
  const slotSeconds = sumOf(slots.map(({concurrency, seconds}) => concurrency * seconds))
  return Math.min(MOST_STAGED, Math.ceil(slotSeconds * MOST_PER_SLOT_SECOND))
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/** A file of conversations has no end that matters; every other file is sent whole unless a number is given. */
function promptOf(flags: LoadFlags, profile: LoadWishes, requests: number | null): PromptSource {
  if (flags.workload != null) {
    const {workload: spec} = flags
    if (!('path' in spec)) return {kind: 'workload', spec}
    const limit = flags.requests ?? (spec.kind === 'sharegpt' ? requests : null)
    return {kind: 'workload', spec: {...spec, limit}}
  }
  const asked = flags.prompt ?? flags.promptTokens
  if (profile.workload != null && asked == null) return {kind: 'workload', spec: profile.workload}
  const text = flags.prompt ?? (flags.promptTokens == null ? profile.prompt : null)
  if (text != null) return {kind: 'fixed', text}
  return {kind: 'synthetic', tokens: flags.promptTokens ?? profile.promptTokens ?? DEFAULTS.promptTokens}
}
