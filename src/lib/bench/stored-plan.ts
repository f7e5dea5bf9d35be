import {createHash} from 'node:crypto'
import {isDeepStrictEqual} from 'node:util'
import {z} from 'zod'
import {ConfigurationError} from '../foundation/index.js'
import {workloadSpecSchema} from '../workloads/index.js'
import {NO_FIT, type TokenFit} from './prompts.js'
import {isRateStage, PATTERNS} from './arrivals.js'
import type {BenchOptions, PromptSource} from './bench-plan.js'

const limit = z.number().positive().nullable()

/**
 * The `plan` of `meta.json`: everything that decides which bytes are sent when, the API key left out. What an older kvctl did
 * not know yet has as default what it did.
 */
const storedPlanSchema = z.strictObject({
  model: z.string(),
  /** Words of a synthetic prompt that made the wanted tokens on this server. */
  prompt_words: z.int().nonnegative(),
  /** How texts of other lengths are made. */
  tokens_per_word: z.number().positive().default(NO_FIT.tokensPerWord),
  overhead_tokens: z.number().default(NO_FIT.overheadTokens),
  pattern: z.enum(PATTERNS),
  requests: z.int().nullable(),
  concurrency: z.int(),
  rate_per_second: z.number().nullable(),
  duration_seconds: z.number().nullable(),
  max_concurrency: z.int().nullable(),
  warmup_requests: z.int().nonnegative(),
  cancel_share: z.number().default(0),
  cancel_after_ms: z.number().default(1000),
  connections: z.enum(['kept', 'per-request']).default('kept'),
  url_order: z.enum(['in-turn', 'random']).default('in-turn'),
  burstiness: z.number(),
  ramp_from_per_second: z.number(),
  on_seconds: z.number(),
  off_seconds: z.number(),
  off_rate_per_second: z.number().default(0),
  stages: z
    .array(
      z.union([
        z.strictObject({rate_per_second: z.number(), seconds: z.number()}),
        z.strictObject({concurrency: z.int().positive(), seconds: z.number()}),
      ]),
    )
    .default([]),
  normalize_arrivals: z.boolean().default(false),
  ramp_up_ms: z.number().default(0),
  api: z.enum(['chat', 'completions']),
  stream: z.boolean(),
  max_tokens: z.int(),
  temperature: z.number(),
  top_p: z.number().nullable(),
  ignore_eos: z.boolean(),
  prompt: z.union([
    z.object({text: z.string()}),
    z.object({tokens: z.int()}),
    z.object({workload: workloadSpecSchema}),
  ]),
  exact_itl: z.boolean().default(false),
  tokenizer: z.strictObject({name: z.string(), sha256: z.string()}).nullable().default(null),
  length_key: z.enum(['max_tokens', 'max_completion_tokens']).default('max_tokens'),
  session_header: z.string().nullable().default(null),
  headers: z.record(z.string(), z.string()).default({}),
  extra_body: z.record(z.string(), z.unknown()),
  timeout_ms: z.object({connect: limit, ttft: limit, idle: limit, total: limit}),
  arrival_seed: z.number(),
  prompt_seed: z.number(),
})
type StoredPlan = z.output<typeof storedPlanSchema>

const sealedSchema = storedPlanSchema.extend({sha256: z.string()})

/** What a run was decided to be. */
export interface PlanRecord {
  readonly options: BenchOptions
  readonly model: string
  readonly fit: TokenFit
}

/** @returns the `plan` of `meta.json`, sealed so that a reader knows that nothing was changed or removed */
export function storePlan(record: PlanRecord): Record<string, unknown> {
  const plan = toStored(record)
  return {...plan, sha256: digestOf(plan)}
}

/**
 * Reads the `plan` of a `meta.json`.
 *
 * @param where the file, for messages
 * @throws ConfigurationError `PLAN_MISSING`, `PLAN_CHANGED`
 */
export function readStoredPlan(value: unknown, where: string): PlanRecord {
  if (value === null) {
    throw new ConfigurationError('PLAN_MISSING', `${where} holds no plan to resume`, {
      suggestions: ['kvctl bench, which starts a new run'],
    })
  }
  const {data, error} = sealedSchema.safeParse(value)
  const unknown = error?.issues.flatMap(issue => (issue.code === 'unrecognized_keys' ? issue.keys : [])) ?? []
  if (unknown.length > 0) {
    throw new ConfigurationError(
      'PLAN_UNKNOWN',
      `the plan in ${where} says more than this kvctl understands: ${unknown.join(', ')}`,
      {suggestions: ['the kvctl that began the run, or a newer one', 'kvctl bench, which starts a new run']},
    )
  }
  if (data !== undefined && digestOf(value as object) === data.sha256) return fromStored(data)
  throw new ConfigurationError(
    'PLAN_CHANGED',
    `the plan in ${where} is not the one that was sent: it was edited, or a secret in it was not stored`,
    {suggestions: ['kvctl bench, which starts a new run']},
  )
}

export function differencesOf(left: BenchOptions, right: BenchOptions): string[] {
  const [one, other] = [left, right].map(options => toStored({options, model: '', fit: NO_FIT}))
  return (Object.keys(one!) as (keyof StoredPlan)[]).filter(
    name => !isDeepStrictEqual(one![name], other![name]),
  )
}

/** Of a plan as it is written, its seal left out: what was not said stays unsaid. JSON keeps the order of keys. */
function digestOf(plan: object): string {
  const text = JSON.stringify({...plan, sha256: undefined})
  return createHash('sha256').update(text).digest('hex')
}

function toStored({options, model, fit}: PlanRecord): StoredPlan {
  const {request, limits} = options
  const {prompt} = request
  return storedPlanSchema.parse({
    model,
    prompt_words: fit.words,
    tokens_per_word: fit.tokensPerWord,
    overhead_tokens: fit.overheadTokens,
    pattern: options.pattern,
    requests: options.requests,
    concurrency: options.concurrency,
    rate_per_second: options.ratePerSecond,
    duration_seconds: options.durationSeconds,
    max_concurrency: options.maxInFlight,
    warmup_requests: options.warmupRequests,
    cancel_share: options.cancelShare,
    cancel_after_ms: options.cancelAfterMs,
    connections: options.connections,
    url_order: options.urlOrder,
    burstiness: options.burstiness,
    ramp_from_per_second: options.rampFromPerSecond,
    on_seconds: options.onSeconds,
    off_seconds: options.offSeconds,
    off_rate_per_second: options.offRatePerSecond,
    stages: options.stages.map(stage =>
      isRateStage(stage) ? {rate_per_second: stage.ratePerSecond, seconds: stage.seconds} : stage,
    ),
    normalize_arrivals: options.isNormalized,
    ramp_up_ms: options.rampUpMs,
    api: request.api,
    stream: request.isStreamed,
    max_tokens: request.maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    ignore_eos: request.ignoresEos,
    prompt: storedPrompt(prompt),
    exact_itl: request.isItlExact,
    tokenizer: request.tokenizer,
    length_key: request.lengthKey,
    session_header: request.sessionHeader,
    headers: request.headers,
    extra_body: request.extraBody,
    timeout_ms: {
      connect: limits.connectMs,
      ttft: limits.firstTokenMs,
      idle: limits.idleMs,
      total: limits.totalMs,
    },
    arrival_seed: options.arrivalSeed,
    prompt_seed: options.promptSeed,
  })
}

function fromStored(plan: StoredPlan): PlanRecord {
  const {timeout_ms: limits, prompt} = plan
  return {
    model: plan.model,
    fit: {
      words: plan.prompt_words,
      tokensPerWord: plan.tokens_per_word,
      overheadTokens: plan.overhead_tokens,
    },
    options: {
      pattern: plan.pattern,
      requests: plan.requests,
      concurrency: plan.concurrency,
      ratePerSecond: plan.rate_per_second,
      durationSeconds: plan.duration_seconds,
      maxInFlight: plan.max_concurrency,
      warmupRequests: plan.warmup_requests,
      cancelShare: plan.cancel_share,
      cancelAfterMs: plan.cancel_after_ms,
      connections: plan.connections,
      urlOrder: plan.url_order,
      burstiness: plan.burstiness,
      rampFromPerSecond: plan.ramp_from_per_second,
      onSeconds: plan.on_seconds,
      offSeconds: plan.off_seconds,
      offRatePerSecond: plan.off_rate_per_second,
      stages: plan.stages.map(stage =>
        'concurrency' in stage ? stage : {ratePerSecond: stage.rate_per_second, seconds: stage.seconds},
      ),
      isNormalized: plan.normalize_arrivals,
      rampUpMs: plan.ramp_up_ms,
      request: {
        api: plan.api,
        isStreamed: plan.stream,
        maxTokens: plan.max_tokens,
        temperature: plan.temperature,
        topP: plan.top_p,
        ignoresEos: plan.ignore_eos,
        prompt: promptOf(prompt),
        isItlExact: plan.exact_itl,
        tokenizer: plan.tokenizer,
        lengthKey: plan.length_key,
        sessionHeader: plan.session_header,
        headers: plan.headers,
        extraBody: plan.extra_body,
      },
      limits: {
        connectMs: limits.connect,
        firstTokenMs: limits.ttft,
        idleMs: limits.idle,
        totalMs: limits.total,
      },
      arrivalSeed: plan.arrival_seed,
      promptSeed: plan.prompt_seed,
    },
  }
}

function storedPrompt(prompt: PromptSource): StoredPlan['prompt'] {
  switch (prompt.kind) {
    case 'fixed':
      return {text: prompt.text}
    case 'synthetic':
      return {tokens: prompt.tokens}
    case 'workload':
      return {workload: prompt.spec}
  }
}

function promptOf(stored: StoredPlan['prompt']): PromptSource {
  if ('text' in stored) return {kind: 'fixed', text: stored.text}
  if ('tokens' in stored) return {kind: 'synthetic', tokens: stored.tokens}
  return {kind: 'workload', spec: stored.workload}
}
