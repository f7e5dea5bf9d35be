import {z} from 'zod'

export const health = z.strictObject({
  status: z.enum(['healthy', 'degraded', 'unavailable']),
  version: z.string(),
  uptime_seconds: z.number(),
  checks: z.strictObject({
    segments: z.strictObject({
      status: z.enum(['ok', 'failed']),
      detail: z.string().describe('how many segments there are, or why they cannot be seen'),
    }),
  }),
})

export const version = z.strictObject({
  name: z.literal('kvctl'),
  version: z.string(),
  node_version: z.string(),
})
