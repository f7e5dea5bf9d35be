import {z} from 'zod'
import {integer} from './json-schema.js'

/** A JSON number with all its digits, also beyond what doubles hold. */
const bytes = z.number().meta({type: 'integer', format: 'int64'})

export const segment = z.strictObject({
  ipc: z.string().describe("the segment's name"),
  limit_bytes: bytes,
  used_bytes: bytes,
  prealloc_bytes: bytes.describe('mapped ahead of need'),
  free_bytes: bytes.describe('limit − used − preallocated, at least 0'),
  percent: z.number().describe('used / limit × 100, two decimals; 0 without a limit'),
  startup_bytes: bytes.nullable().describe('the first total seen; null when unknown'),
  settled: z.boolean().describe('false when a process kept the lock, so that figures may mix two updates'),
  state: z.enum(['live', 'idle', 'stale', 'foreign', 'unknown']),
  state_reason: z.string(),
  pid: integer.nullable(),
  owner: z.string().nullable().describe('what the process was started with'),
  warnings: z.array(z.strictObject({code: z.string(), message: z.string()})),
})

export const segmentName = z.strictObject({name: z.string().describe('as GET /segments shows it')})

export const limitChange = z.strictObject({
  limit: z
    .union([z.string(), z.int()])
    .optional()
    .describe('bytes, or a size such as 6G or 1.5GiB (powers of 1024)'),
  restore: z
    .literal(true)
    .optional()
    .describe('instead of limit: back to the start-up total, in the form that engines act on'),
  force: z.boolean().default(false).describe('also write what the engine would ignore or could crash on'),
  wait: z.boolean().default(false).describe('answer when the engine respects a lower limit, 10 s at most'),
})

export const limitChanged = z.strictObject({
  ipc: z.string(),
  limit_bytes: bytes,
  used_bytes: bytes.describe('of the moment before'),
  prealloc_bytes: bytes.describe('of the moment before'),
  previous_limit_bytes: bytes,
  startup_bytes: bytes.nullable(),
  outcome: z.enum(['applied', 'pending', 'written', 'ignored']),
  explanation: z.string().nullable(),
})

export const deletion = z.strictObject({
  force: z.enum(['true', 'false']).default('false').describe('also remove it from a living engine'),
})

export const deleted = z.strictObject({ipc: z.string(), deleted: z.literal(true)})
