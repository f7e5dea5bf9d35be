import {z} from 'zod'

const check = z.strictObject({status: z.enum(['ok', 'failed']), detail: z.string()})

export const health = z.strictObject({
  status: z.enum(['healthy', 'degraded', 'unavailable']),
  version: z.string(),
  uptime_seconds: z.number(),
  checks: z.strictObject({
    segments: check.describe('how many segments there are, or why they cannot be seen'),
    output_dir: check.optional().describe('where runs are written, with the benchmark family'),
  }),
})

export const version = z.strictObject({
  name: z.literal('kvctl'),
  version: z.string(),
  node_version: z.string(),
})
