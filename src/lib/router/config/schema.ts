import {z} from 'zod'

const seconds = z.number().min(0).max(31_536_000)
const size = z.union([z.string(), z.int().positive()])
const variable = z.string().regex(/^[A-Za-z_]\w*=/, 'takes KEY=VALUE')
const scalar = z.union([z.string(), z.number(), z.boolean()])

export const ROUTING_POLICIES = ['least-loaded', 'prefix', 'session', 'weighted'] as const

const instance = z.strictObject({
  model: z.string().min(1),
  engine: z.enum(['vllm', 'sglang', 'sgl', 'kvctl', 'openai']),
  name: z.string().min(1).optional(),
  engine_args: z.union([z.string(), z.array(scalar)]).optional(),
  args: z.union([z.string(), z.array(scalar)]).optional(),
  engine_env: z.array(variable).default([]),
  kvcached_env: z.array(variable).default([]),
  using_venv: z.boolean().default(false),
  venv_path: z.string().optional(),
  url: z.url({protocol: /^https?$/}).optional(),
  weight: z.number().positive().default(1),
  segment: z.string().optional(),
})

const model = z.strictObject({
  routing: z.enum(ROUTING_POLICIES).default('least-loaded'),
  session_header: z.string().toLowerCase().default('x-session-id'),
  api_key: z.string().min(1).optional(),
  api_key_env: z.string().min(1).optional(),
  group: z.string().optional(),
  keep_awake: z.boolean().default(false),
  sleep_level: z.union([z.literal(1), z.literal(2)]).default(1),
})

const balance = z.strictObject({
  total: size.optional(),
  interval_seconds: z.number().min(0.1).max(3600).default(2),
  step_percent: z.number().min(0).max(100).default(5),
  segments: z
    .record(z.string(), z.strictObject({floor: size.optional(), ceiling: size.optional()}))
    .default({}),
})

/**
 * The controller's file: upstream's keys with their defaults, and ours (`url`, `weight`, `segment` of an instance, `models`,
 * `groups`, `balance`, limits of `router`).
 *
 * @see ovg-project/kvcached:controller/utils.py — the same keys
 */
export const controllerFile = z.strictObject({
  kvcached: z.record(z.string(), scalar).nullish(),
  router: z
    .strictObject({
      enable_router: z.boolean().default(false),
      router_port: z.int().min(0).max(65_535).default(8080),
      router_host: z.string().optional(),
      max_waiting: z.int().min(0).max(100_000).default(256),
      wait_timeout_seconds: seconds.default(300),
      request_timeout_seconds: seconds.default(300),
      retry_seconds: seconds.default(10),
      health_interval_seconds: z.number().min(0.05).max(3600).default(5),
    })
    .prefault({}),
  sleep_manager: z
    .strictObject({
      idle_threshold_seconds: seconds.default(300),
      check_interval_seconds: z.number().min(0.05).max(86_400).default(60),
      auto_sleep_enabled: z.boolean().default(false),
      wakeup_on_request: z.boolean().default(true),
      min_sleep_duration: seconds.default(60),
      min_awake_duration: seconds.default(10),
    })
    .prefault({}),
  launch_delay_seconds: seconds.default(0),
  instances: z.array(instance).min(1, 'lists no instance'),
  models: z.record(z.string(), model).default({}),
  groups: z.record(z.string(), z.strictObject({max_awake: z.int().min(1)})).default({}),
  balance: balance.optional(),
})

/** Its keys at the top: what else stands there is for others, such as the options of `kvctl serve`. */
export const CONTROLLER_KEYS: readonly string[] = Object.keys(controllerFile.shape)

export type ControllerFile = z.output<typeof controllerFile>
export type InstanceEntry = ControllerFile['instances'][number]
export type ModelEntry = z.output<typeof model>

/** What a model has that `models` does not name. */
export const defaultModelEntry: ModelEntry = model.parse({})
