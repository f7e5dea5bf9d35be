import * as z from 'zod'

const tokens = z.int().nonnegative()
/** As `parseLengths` reads them. */
const lengths = z.string()

/** What a made-up workload is to be. `output` null takes the run's length of answers. */
export const madeSpecSchema = z.discriminatedUnion('kind', [
  z.object({kind: z.literal('lengths'), input: lengths, output: lengths.nullable()}),
  z.object({
    kind: z.literal('shared-prefix'),
    /** Texts that requests share in turn. */
    groups: z.int().positive(),
    prefix_tokens: tokens,
    input: lengths,
    output: lengths.nullable(),
  }),
  z.object({
    kind: z.literal('multi-turn'),
    turns: z.int().positive(),
    /** System prompt that all sessions share; 0 for none. */
    prefix_tokens: tokens,
    /** Of what a user says in a turn. */
    input: lengths,
    output: lengths.nullable(),
    /** Between an answer and the next turn, mean of an exponential distribution; 0 for none. */
    think_ms: z.number().nonnegative(),
  }),
])
export type MadeSpec = z.output<typeof madeSpecSchema>
export type MultiTurnSpec = Extract<MadeSpec, {kind: 'multi-turn'}>

export const FILE_FORMATS = ['sharegpt', 'jsonl', 'mooncake', 'vllm-trace', 'azure', 'burstgpt'] as const
export type FileFormat = (typeof FILE_FORMATS)[number]

/** A data set in a file. */
export const fileSpecSchema = z.object({
  kind: z.enum(FILE_FORMATS),
  path: z.string(),
  /** Of the file; a resumed run must find the same. */
  sha256: z.string().nullable(),
  /** Divides the times of a trace. */
  speedup: z.number().positive(),
  /** Tokens that one of a trace's hash ids stands for. */
  block_tokens: z.int().positive(),
  /** At most so many requests; null for all. */
  limit: z.int().positive().nullable(),
})
export type FileSpec = z.output<typeof fileSpecSchema>

export const workloadSpecSchema = z.union([madeSpecSchema, fileSpecSchema])
export type WorkloadSpec = z.output<typeof workloadSpecSchema>
