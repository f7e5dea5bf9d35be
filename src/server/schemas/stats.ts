import {z} from 'zod'
import {integer} from './json-schema.js'

/** vllm-chill's document. */
export const stats = z.strictObject({
  timestamp: z.string().describe('when the GPUs were read'),
  gpus: z.array(
    z.strictObject({
      index: integer,
      name: z.string(),
      uuid: z.string(),
      utilization_percent: z.number(),
      memory_used_mb: integer.describe('MiB'),
      memory_total_mb: integer.describe('MiB'),
      memory_util_percent: z.number().describe('used / total × 100'),
      temperature_c: integer,
      power_draw_w: z.number(),
      power_limit_w: z.number(),
      fan_speed_percent: integer,
      encoder_util_percent: integer,
      decoder_util_percent: integer,
      unavailable: z.record(z.string(), z.string()).optional().describe('why a figure is 0, by its name'),
    }),
  ),
})

export const statsError = z.strictObject({error: z.string()})
