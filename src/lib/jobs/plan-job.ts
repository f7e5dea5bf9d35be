import {isDeepStrictEqual} from 'node:util'
import {
  PLAIN_LOAD,
  planBench,
  resolveBenchOptions,
  wishesOfProfile,
  workloadOf,
  type BenchAsk,
  type BenchOptions,
  type LoadFlags,
} from '../bench/index.js'
import {checkYaml} from '../config/index.js'
import type {PriceWish} from '../cost/index.js'
import {ConfigurationError, NetworkError, ValidationError} from '../foundation/index.js'
import {
  checkProfile,
  inspectProfile,
  normaliseProfile,
  profileSchema,
  requireSound,
  shippedProfiles,
  type Profile,
} from '../profiles/index.js'
import {jobPrices} from './job-prices.js'
import {MOST_CONCURRENCY, MOST_REQUESTS, RequestInvalidError, type JobRequest} from './job-request.js'

/** Of one prompt. */
const MOST_TOKENS = 1_000_000

export interface PlannedJob {
  readonly ask: BenchAsk
  readonly profileName: string
  readonly warnings: readonly string[]
  /** Null for a run without prices. */
  readonly prices: PriceWish | null
}

/**
 * Decides a request down to its send times.
 *
 * @param targets servers that may be measured; a request that names none takes the first, or the embedded engine
 * @throws RequestInvalidError; NetworkError `KUBERNETES_UNAVAILABLE`; ValidationError `PROFILE_RULE`; ConfigurationError of the plan
 */
export async function planJob(request: JobRequest, targets: readonly string[]): Promise<PlannedJob> {
  const urls = urlsOf(request, targets)
  const {profile, warnings} = await profileOf(request)
  const asked = resolveBenchOptions(loadFlagsOf(request, urls.length === 0), wishesOfProfile(profile))
  requireBounded(asked, profile)
  const {options, workload} = await workloadOf(asked)
  return {
    profileName: profile.metadata.name,
    warnings,
    prices: await jobPrices(request, profile),
    ask: {
      plan: planBench(options, workload),
      resume: null,
      urls,
      model: request.model ?? null,
      apiKey: null,
      isInsecure: false,
      workers: 1,
      transport: 'socket',
      resetsCache: false,
      isCalibrated: false,
      notes: {
        namespace: request.namespace ?? 'default',
        service: request.service ?? null,
        profile,
        slo: request.slo ?? null,
        args: [],
      },
    },
  }
}

/** A plan is made whole, by the process that serves everybody: what it would hold is bounded, whoever says it. */
function requireBounded(options: BenchOptions, {request}: Profile): void {
  const {requests, ratePerSecond, durationSeconds, warmupRequests, concurrency} = options
  const sent = requests ?? Math.round((ratePerSecond ?? 0) * (durationSeconds ?? 0))
  const bounds: readonly (readonly [path: string, value: number | undefined, most: number])[] = [
    ['requests', sent, MOST_REQUESTS],
    ['warmup_requests', warmupRequests, MOST_REQUESTS],
    ['concurrency', concurrency, MOST_CONCURRENCY],
    ['request.prefix_groups', request.prefix_groups, MOST_REQUESTS],
    ['request.prefix_tokens', request.prefix_tokens, MOST_TOKENS],
    ['request.prompt_tokens', request.prompt_tokens, MOST_TOKENS],
  ]
  const details = bounds.flatMap(([path, value, most]) =>
    value !== undefined && value > most ? [{path, message: `is ${value}, and may be ${most} at most`}] : [],
  )
  if (details.length > 0) throw new RequestInvalidError(details)
}

function urlsOf({url, service, model_uri, skip_deploy}: JobRequest, targets: readonly string[]): string[] {
  if (model_uri != null && !skip_deploy) throw noCluster('deploying model_uri')
  if (url == null) {
    if (targets[0] === undefined && service != null) throw noCluster(`finding the address of ${service}`)
    return targets.slice(0, 1)
  }
  const wanted = targets.find(target => withoutSlash(target) === withoutSlash(url))
  if (wanted !== undefined) return [wanted]
  throw new RequestInvalidError([
    {
      path: 'url',
      message: `is no server that this one may measure; it was started with ${targets.join(', ') || 'none'}`,
    },
  ])
}

function noCluster(what: string): NetworkError {
  return new NetworkError(
    'KUBERNETES_UNAVAILABLE',
    `${what} needs a Kubernetes cluster, which this kvctl cannot reach`,
    {suggestions: ['start the server with --bench-url URL, and skip_deploy']},
  )
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '')
}

async function profileOf({profile, overrides}: JobRequest): Promise<{profile: Profile; warnings: string[]}> {
  const {profile: base, warnings} = await baseProfile(profile ?? 'standard')
  const changed = {
    ...base,
    load_test: {...base.load_test, ...overrides.load_test},
    request: {...base.request, ...overrides.request},
    validation: {...base.validation, ...overrides.validation},
  }
  if (isDeepStrictEqual(changed, base)) return {profile: base, warnings}
  const {success, data, error} = profileSchema.safeParse(changed)
  if (success) return {profile: data, warnings}
  throw new RequestInvalidError(
    error.issues.map(({path, message}) => ({path: ['overrides', ...path].join('.'), message})),
  )
}

async function baseProfile(
  wanted: NonNullable<JobRequest['profile']>,
): Promise<{profile: Profile; warnings: string[]}> {
  if (typeof wanted === 'string') {
    const names = await shippedProfiles()
    if (!names.includes(wanted)) {
      throw new RequestInvalidError([{path: 'profile', message: `is none of ${names.join(', ')}`}])
    }
    const inspected = await inspectProfile(`runners/profiles/${wanted}.yaml`)
    requireSound(inspected)
    return {profile: inspected.profile, warnings: inspected.findings.map(({message}) => message)}
  }
  const file = {source: 'profile', value: wanted, lineOf: () => 1}
  let normalised
  try {
    normalised = normaliseProfile(file)
    checkYaml({...file, value: normalised.profile}, profileSchema, 'PROFILE_INVALID')
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new RequestInvalidError([{path: 'profile', message: error.message.replaceAll('profile:1: ', '')}])
  }
  const findings = checkProfile(normalised.profile)
  const broken = findings.filter(({level}) => level === 'error')
  if (broken.length > 0) {
    throw new ValidationError('PROFILE_RULE', broken.map(({message}) => message).join('; '))
  }
  return {profile: normalised.profile, warnings: findings.map(({message}) => message)}
}

function loadFlagsOf(request: JobRequest, isOwnEngine: boolean): LoadFlags {
  return {
    ...PLAIN_LOAD,
    pattern: request.pattern ?? null,
    requests: request.requests ?? null,
    concurrency: request.concurrency ?? null,
    ratePerSecond: request.rate ?? null,
    durationSeconds: request.duration_seconds ?? null,
    warmupRequests: request.warmup_requests ?? null,
    maxTokens: request.max_tokens ?? null,
    promptTokens: request.prompt_tokens ?? null,
    prompt: request.prompt ?? null,
    temperature: request.temperature ?? null,
    topP: null,
    isStreamed: request.stream ?? null,
    api: request.api,
    ignoresEos: request.ignore_eos ?? isOwnEngine,
    seed: request.seed ?? null,
    timeoutMs: request.timeout_seconds * 1000,
    timeoutConnectMs: 10_000,
    timeoutFirstTokenMs: 0,
    timeoutIdleMs: 60_000,
  }
}
