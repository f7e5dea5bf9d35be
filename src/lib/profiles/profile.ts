import * as z from 'zod'
import {QUANTITY} from '../foundation/index.js'

export const PATTERNS = [
  'steady',
  'poisson',
  'bursty',
  'heavy',
  'burst',
  'ramp',
  'constant',
  'on-off',
] as const

const positiveInt = z.int().positive()
const share = z.number().min(0).max(1)
/** A Kubernetes quantity: `2`, `2000m`, `8Gi`, `1e3`. */
const quantity = z.union([
  z.number().nonnegative(),
  z.string().regex(QUANTITY, 'is not a quantity such as 2000m or 8Gi'),
])
const quantities = z.record(z.string(), quantity)
const toolSchema = z.looseObject({
  name: z.string(),
  description: z.string().optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
})

/** A benchmark profile in its one normalised form, the documented nested one. Keys that nobody sets are absent. */
export const profileSchema = z.strictObject({
  metadata: z.looseObject({
    name: z.string().min(1),
    description: z.string().optional(),
    version: z.string().optional(),
  }),
  load_test: z
    .strictObject({
      pattern: z.enum(PATTERNS).optional(),
      duration_seconds: z.number().positive().optional(),
      /** Sent first, not measured. */
      warmup_requests: z.int().nonnegative().optional(),
      requests: positiveInt.optional(),
      concurrency: positiveInt.optional(),
      /** Requests per second. */
      rate: z.number().positive().optional(),
    })
    .default({}),
  request: z
    .strictObject({
      max_tokens: positiveInt.optional(),
      temperature: z.number().min(0).max(2).optional(),
      top_p: share.optional(),
      stream: z.boolean().optional(),
      /** Length of the made-up prompts; behind a shared beginning, of what follows it. */
      prompt_tokens: positiveInt.optional(),
      /** How many beginnings the prompts share in turn, and how long each is. */
      prefix_groups: positiveInt.optional(),
      prefix_tokens: positiveInt.optional(),
      /** JSON Schema of a structured answer. */
      schema: z.record(z.string(), z.unknown()).optional(),
      tools: z.array(toolSchema).optional(),
    })
    .default({}),
  /** Settings of the server, never of the load generator; any other key becomes a server flag. */
  vllm_features: z
    .object({
      gpu_memory_utilization: share.optional(),
      quantization: z.string().optional(),
      speculative_model: z.string().optional(),
      num_speculative_tokens: positiveInt.optional(),
      guided_decoding_backend: z.string().optional(),
      enable_auto_tool_choice: z.boolean().optional(),
      tool_call_parser: z.string().optional(),
      tensor_parallel_size: positiveInt.optional(),
    })
    .catchall(z.union([z.string(), z.number(), z.boolean()]))
    .default({}),
  resources: z.strictObject({requests: quantities.optional(), limits: quantities.optional()}).default({}),
  validation: z
    .strictObject({
      min_success_rate: share.optional(),
      max_error_rate: share.optional(),
      max_p95_latency_ms: z.number().positive().optional(),
      max_p99_latency_ms: z.number().positive().optional(),
      max_avg_ttft_ms: z.number().positive().optional(),
      max_p95_ttft_ms: z.number().positive().optional(),
      min_throughput_rps: z.number().positive().optional(),
      min_tokens_per_second: z.number().positive().optional(),
      max_cost_per_1k_tokens: z.number().positive().optional(),
      max_energy_per_1k_tokens_wh: z.number().positive().optional(),
    })
    .default({}),
  model_requirements: z.looseObject({compatible_formats: z.array(z.string()).optional()}).optional(),
  validation_hints: z
    .looseObject({
      model_size_hint: z.string().optional(),
      gpu_memory_gb_min: z.number().positive().optional(),
    })
    .optional(),
  /** Text for people, kept and not acted on. */
  notes: z.record(z.string(), z.unknown()).optional(),
})
export type Profile = z.output<typeof profileSchema>
