import {z} from 'zod'
import {integer} from './json-schema.js'

const bytes = z.number().meta({type: 'integer', format: 'int64'})
const reasons = z.record(z.string(), z.string()).describe('why a figure is 0 or null, by its name')

export const vramQuery = z.object({
  gpu: z
    .string()
    .optional()
    .describe('all (the default), or indexes, GPU-… and MIG-… UUIDs, with commas between them'),
  blocks: z.string().optional().describe('all (the default), none, summary, or ids FROM-TO'),
  schema: z.enum(['1', '2']).optional().describe("2: the document of Blackbox's newer revisions"),
})
export type VramQuery = z.output<typeof vramQuery>

export const streamQuery = vramQuery.extend({
  interval_ms: z
    .string()
    .regex(/^\d+$/)
    .optional()
    .describe('between events, 100 to 60000; 500 unless given'),
  sse: z.literal('full').optional().describe('with id: and retry: fields and heartbeats'),
})
export type StreamQuery = z.output<typeof streamQuery>

const part = z.strictObject({
  bytes: bytes.nullable(),
  basis: z.enum(['measured', 'derived']).nullable(),
  from: z.string().describe('what it was read from or computed of; of an unknown part, why'),
})

/** Blackbox's object of a process. */
export const process = z.strictObject({
  pid: integer,
  name: z.string(),
  used_bytes: bytes,
  reserved_bytes: bytes.describe('the same number again'),
  gpu_index: integer,
  gpu_uuid: z.string().nullable(),
  type: z.string().describe('C compute, G graphics, M MPS; several joined by +'),
  command: z.string().nullable(),
  user_id: integer.nullable(),
  container_id: z.string().nullable(),
  pod_uid: z.string().nullable(),
  segment: z.string().nullable(),
  engine_role: z.string().nullable(),
  unavailable: reasons,
})

/** Never filled, as upstream. */
export const thread = z.strictObject({
  thread_id: integer,
  allocated_bytes: bytes,
  state: z.enum(['active', 'running', 'waiting']),
})

export const block = z.strictObject({
  block_id: integer,
  address: integer.describe('0: engines tell none'),
  size: bytes,
  type: z.string(),
  allocated: z.boolean(),
  utilized: z.boolean(),
})

export const nsightMetrics = z.strictObject({
  atomic_operations: integer,
  threads_per_block: integer,
  occupancy: z.number(),
  active_blocks: integer,
  memory_throughput: integer,
  dram_read_bytes: bytes,
  dram_write_bytes: bytes,
  available: z.boolean(),
  reason: z.string(),
})

const device = z.strictObject({
  index: integer,
  uuid: z.string().nullable(),
  name: z.string().nullable(),
  mig: z.boolean().describe('whether this is a MIG device'),
  state: z.enum(['ok', 'lost', 'asleep', 'hung', 'failed']),
  total_bytes: bytes.nullable(),
  used_bytes: bytes.nullable(),
  free_bytes: bytes.nullable(),
  reserved_bytes: bytes.nullable(),
  program_used_bytes: bytes.nullable().describe('without what the driver reserves'),
  driver_reserved_bytes: bytes.nullable(),
  utilization_percent: z.number().nullable(),
  temperature_c: z.number().nullable(),
  power_draw_w: z.number().nullable(),
  enforced_power_limit_w: z.number().nullable(),
  throttle_reasons: z.array(z.string()).nullable(),
  xid: integer.nullable().describe('the last fault; null without one'),
  memory: z
    .strictObject({
      engines: z.array(z.strictObject({url: z.string(), bytes})),
      other_processes: part,
      driver_reserved: part,
      unattributed: part,
    })
    .nullable(),
  mig_devices: z.array(
    z.strictObject({
      index: integer,
      uuid: z.string().nullable(),
      name: z.string().nullable(),
      total_bytes: bytes.nullable(),
      used_bytes: bytes.nullable(),
      free_bytes: bytes.nullable(),
    }),
  ),
  unavailable: reasons,
})

const engine = z.strictObject({
  url: z.string(),
  source: z.enum(['configured', 'default', 'listening']),
  state: z.enum(['ok', 'unreachable', 'silent']),
  kind: z.enum(['vllm', 'sglang', 'kvctl']).nullable(),
  model: z.string().nullable(),
  segment: z.string().nullable(),
  pids: z.array(integer),
  gpus: z.array(integer),
  time: z.string().nullable(),
  allocated_blocks: integer.nullable(),
  utilized_blocks: integer.nullable(),
  cached_free_blocks: integer.nullable(),
  block_tokens: integer.nullable(),
  block_bytes: bytes.nullable(),
  block_bytes_source: z.enum(['engine', 'model_config', 'model_table']).nullable(),
  asleep: z.boolean().nullable(),
  kv_usage_percent: z.number().nullable().describe('share of its KV blocks that requests hold'),
  requests_running: integer.nullable(),
  requests_waiting: integer.nullable(),
  prefix_cache_hit_percent: z.number().nullable(),
  preemptions: integer.nullable().describe('since its start, as all that follows'),
  prompt_tokens: integer.nullable(),
  generation_tokens: integer.nullable(),
  first_tokens: integer.nullable().describe('requests whose first token came'),
  first_token_seconds: z.number().nullable().describe('what they waited for it, all together'),
  memory: z.strictObject({
    total: part,
    weights_and_runtime: part,
    kv_reserved: part,
    kv_used: part,
    kv_cached_free: part,
    kv_free: part,
  }),
})

const warnings = z.array(z.strictObject({code: z.string(), message: z.string()}))

/** Blackbox's document, its keys first. */
export const vram = z.strictObject({
  total_bytes: bytes.describe('summed over the chosen GPUs, as all that follows'),
  used_bytes: bytes.describe('with what the driver reserves'),
  free_bytes: bytes,
  reserved_bytes: bytes.describe('the same as used_bytes'),
  used_percent: z.number().describe('0 to 100, two decimals'),
  allocated_blocks: integer,
  utilized_blocks: integer,
  free_blocks: integer,
  atomic_allocations_bytes: bytes.describe('the sum of the processes, else used_bytes'),
  fragmentation_ratio: z.number().describe('1 − free / total, four decimals: the used share'),
  processes: z.array(process),
  threads: z.array(thread),
  blocks: z.array(block),
  nsight_metrics: z.record(z.string(), nsightMetrics),
  time: z.string(),
  block_size_source: z.string().nullable(),
  devices: z.array(device),
  engines: z.array(engine),
  unavailable: reasons,
  warnings,
  block_runs: z
    .array(z.strictObject({first_id: integer, last_id: integer, size: bytes, utilized: z.boolean()}))
    .optional()
    .describe('with ?blocks=summary'),
})

/** What newer revisions of Blackbox answer. */
export const vram2 = z.strictObject({
  total_vram_bytes: bytes,
  allocated_vram_bytes: bytes,
  used_kv_cache_bytes: bytes,
  prefix_cache_hit_rate: z.number().describe('0 to 100, two decimals'),
  models: z.array(
    z.strictObject({
      model_id: z.string(),
      port: integer,
      allocated_vram_bytes: bytes,
      used_kv_cache_bytes: bytes,
    }),
  ),
  unavailable: reasons,
  warnings,
})
