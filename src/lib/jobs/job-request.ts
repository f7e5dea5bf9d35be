import * as z from 'zod'
import {ConfigurationError} from '../foundation/index.js'
import {PATTERNS} from '../profiles/index.js'

/** A document that cannot be run, with what is wrong at which of its keys. */
export class RequestInvalidError extends ConfigurationError {
  readonly details: readonly {readonly path: string; readonly message: string}[]

  constructor(details: RequestInvalidError['details']) {
    const [first] = details
    super(
      'REQUEST_INVALID',
      first === undefined ? 'the request is invalid' : `${first.path}: ${first.message}`.replace(/^: /, ''),
    )
    this.details = details
  }
}

export const MOST_REQUESTS = 1_000_000
export const MOST_CONCURRENCY = 10_000
const DAY_SECONDS = 86_400
const notTaken = (why: string) => z.null({error: why}).default(null)
const block = z.record(z.string(), z.unknown())

/** The body of `POST /api/v1/benchmark`: options of `kvctl bench` in snake case. Files of the server cannot be named. */
export const jobRequestSchema = z.strictObject({
  // As Kubernetes has them; they become labels of metrics.
  namespace: z.string().min(1).max(253).nullish(),
  service: z.string().min(1).max(253).nullish(),
  url: z
    .url({protocol: /^https?$/})
    .nullish()
    .describe('one that the server was started with; else the first of those, else its own engine'),
  model: z.string().min(1).nullish(),
  model_uri: z.string().min(1).nullish(),
  skip_deploy: z.boolean().default(false),
  profile: z
    .union([
      z
        .string()
        .regex(/^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/, 'takes the name of a shipped profile, or a profile'),
      block,
    ])
    .optional()
    .describe('standard unless given'),
  overrides: z.strictObject({load_test: block, request: block, validation: block}).partial().default({}),
  requests: z.int().min(1).max(MOST_REQUESTS).nullish(),
  concurrency: z.int().min(1).max(MOST_CONCURRENCY).nullish(),
  pattern: z.enum(PATTERNS).nullish(),
  rate: z.number().positive().nullish(),
  duration_seconds: z.number().positive().max(DAY_SECONDS).nullish(),
  warmup_requests: z.int().min(0).max(MOST_REQUESTS).nullish(),
  max_tokens: z.int().min(1).nullish(),
  prompt: z.string().nullish(),
  prompt_tokens: z.int().min(1).max(1_000_000).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  stream: z.boolean().nullish(),
  ignore_eos: z.boolean().nullish(),
  api: z.enum(['chat', 'completions']).default('chat'),
  seed: z.int().nullish(),
  timeout_seconds: z.number().positive().max(DAY_SECONDS).default(300),
  slo: z
    .strictObject({ttft: z.number(), tpot: z.number(), max_gap: z.number(), e2e: z.number()})
    .partial()
    .nullish()
    .describe('what a good request takes at most, ms'),
  gpu_type: z
    .string()
    .min(1)
    .nullish()
    .describe('GPU product to price, such as A100-80GB; else the GPUs that serve, where they can be seen'),
  resources: z
    .union([z.string(), block])
    .nullish()
    .describe('what the deployment holds, such as {"cpu": "2", "memory": "12Gi", "nvidia.com/gpu": 1}'),
  cost_config: block
    .nullable()
    .default(null)
    .describe('prices per hour, as the keys of a cost.yaml; else those of the server'),
  region: z.string().nullish(),
  spot: z.boolean().default(false),
  labels: z.record(z.string().max(64), z.string().max(256)).default({}),
  dry_run: z.boolean().default(false),
  prom_url: notTaken('figures of a Prometheus come with KServe'),
})
export type JobRequest = z.output<typeof jobRequestSchema>

/** @throws RequestInvalidError */
export function parseJobRequest(body: unknown): JobRequest {
  const {success, data, error} = jobRequestSchema.safeParse(body)
  if (success) return data
  throw new RequestInvalidError(
    error.issues.flatMap(issue =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map(key => ({path: [...issue.path, key].join('.'), message: 'is no option'}))
        : [{path: issue.path.join('.'), message: issue.message}],
    ),
  )
}
