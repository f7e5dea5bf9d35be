import {z} from 'zod'
import {LONGEST_WINDOW_MS} from '../../lib/router/index.js'

const LONGEST_S = LONGEST_WINDOW_MS / 1000

/** A number of seconds in a query: text, since Fastify turns nothing into numbers here. */
const seconds = (what: string): z.ZodString =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .describe(what)

export const windowQuery = z.object({
  window: seconds(`seconds that rates look back, above 0 and at most ${LONGEST_S}`).default('60'),
})
export const thresholdQuery = z.object({
  threshold: seconds(
    'seconds without activity above which a model is idle (default the configured ones)',
  ).optional(),
})
export const activeQuery = z.object({...windowQuery.shape, ...thresholdQuery.shape})

export const modelName = z.strictObject({model: z.string().describe('percent-encoded where it holds a /')})

export const controllerError = z.looseObject({error: z.string()})

const traffic = {
  total_requests: z.number(),
  successful_requests: z.number(),
  failed_requests: z.number(),
  request_rate: z.number().describe('per second, over the window'),
  avg_response_time: z.number().describe('seconds, of those that succeeded'),
  last_activity_time: z.number().describe('Unix seconds: start or end of a request, or a wake-up'),
  idle_time_seconds: z.number(),
  is_idle: z.boolean(),
  in_flight_requests: z.number(),
  waiting_requests: z.number().describe('for the model to wake'),
}

export const trafficStats = z.strictObject({
  traffic_stats: z.record(z.string(), z.strictObject(traffic)),
  window_seconds: z.number(),
})
export const modelStats = z.strictObject({
  model_stats: z.strictObject({model_name: z.string(), ...traffic}),
  window_seconds: z.number(),
})

const idleDetails = {
  idle_time_seconds: z.number(),
  total_requests: z.number(),
  last_activity_time: z.number(),
}

export const idleModels = z.strictObject({
  idle_models: z.array(z.string()),
  idle_threshold_seconds: z.number(),
  idle_model_details: z.record(z.string(), z.strictObject(idleDetails)),
  idle_models_count: z.number(),
})

export const activeModels = z.strictObject({
  active_models: z.array(z.string()),
  idle_threshold_seconds: z.number(),
  window_seconds: z.number(),
  active_model_details: z.record(
    z.string(),
    z.strictObject({
      request_rate: z.number(),
      total_requests: z.number(),
      avg_response_time: z.number(),
      last_activity_time: z.number(),
    }),
  ),
  active_models_count: z.number(),
})

export const sleepStatus = z.strictObject({
  sleeping_models: z.record(
    z.string(),
    z.strictObject({sleep_start_time: z.number(), sleep_duration: z.number(), manual_sleep: z.boolean()}),
  ),
  sleep_candidates: z.array(z.string()),
  auto_sleep_enabled: z.boolean(),
  idle_threshold_seconds: z.number(),
  wakeup_on_request: z.boolean(),
  phases: z.record(z.string(), z.enum(['awake', 'falling', 'asleep', 'waking'])),
})

export const sleepCandidates = z.strictObject({
  sleep_candidates: z.array(z.string()),
  candidate_details: z.record(z.string(), z.strictObject({...idleDetails, can_sleep: z.literal(true)})),
  idle_threshold_seconds: z.number(),
  auto_sleep_enabled: z.boolean(),
})

export const action = z.strictObject({
  model_name: z.string(),
  success: z.boolean(),
  message: z.string(),
  reason: z.string().optional().describe('why not'),
})

export const routedModels = z.strictObject({
  models: z.record(
    z.string(),
    z.strictObject({
      endpoint: z.string().describe('of the first of its engines'),
      engine: z.string(),
      phase: z.string(),
      group: z.string().nullable(),
      routing: z.string(),
      replicas: z.array(
        z.strictObject({
          endpoint: z.string(),
          in_flight_requests: z.number(),
          load: z.number().describe('requests it has, also those of others that it counts'),
          kv_cache_usage: z.number().nullable(),
          circuit: z.enum(['closed', 'open', 'half-open']),
          healthy: z.boolean().nullable().describe('by the last check; null before the first'),
        }),
      ),
    }),
  ),
})

export const modelHealth = z.strictObject({
  model: z.string(),
  health: z.record(z.string(), z.union([z.boolean(), z.record(z.string(), z.boolean())])),
})

/** `status` is upstream's only key, and only word. */
export const serverInfo = z.object({status: z.string(), version: z.string(), models: z.array(z.string())})

export const routerHealth = z.strictObject({status: z.literal('healthy')})

export const openAiError = z.looseObject({
  error: z.looseObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.number(),
  }),
})

export const modelList = z.strictObject({
  object: z.literal('list'),
  data: z.array(z.looseObject({id: z.string()})),
})

export const anyJson = z.looseObject({})
