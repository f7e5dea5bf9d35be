import * as z from 'zod'

const tokens = z.int().nonnegative()
/** As `parseLengths` reads them. */
const lengths = z.string()
/** What stands in a conversation as the answers to its earlier turns: made-up ones, or those of the server itself. */
const history = z.enum(['fixed', 'live']).default('fixed')

/** What a made-up workload is to be. `output` null takes the run's length of answers. */
export const madeSpecSchema = z.discriminatedUnion('kind', [
  z.object({kind: z.literal('lengths'), input: lengths, output: lengths.nullable()}),
  /** As `parseLengthPairs` reads them. */
  z.object({kind: z.literal('length-pairs'), pairs: z.string()}),
  z.object({
    kind: z.literal('shared-prefix'),
    /** Texts that requests share in turn. */
    groups: z.int().positive(),
    prefix_tokens: tokens,
    input: lengths,
    output: lengths.nullable(),
  }),
  // Defaults are for plans that an older kvctl wrote.
  z.object({
    kind: z.literal('multi-turn'),
    turns: z.int().positive(),
    /** System prompt that all sessions share, and what each has of its own behind it; 0 for none. */
    prefix_tokens: tokens,
    private_tokens: tokens.default(0),
    /** Of what a user says first; null is as in every turn. */
    first_input: lengths.nullable().default(null),
    /** Of what a user says in a turn. */
    input: lengths,
    output: lengths.nullable(),
    /** Between an answer and the next turn, mean of an exponential distribution; 0 for none. */
    think_ms: z.number().nonnegative(),
    history,
  }),
  z.object({
    kind: z.literal('agentic'),
    turns: z.int().positive(),
    /** Calls of a tool before each answer: the model is asked again with each result. */
    tool_calls: tokens,
    prefix_tokens: tokens,
    private_tokens: tokens,
    first_input: lengths.nullable(),
    input: lengths,
    /** Of what a tool gives back. */
    tool_result: lengths,
    output: lengths.nullable(),
    think_ms: z.number().nonnegative(),
    /** How long a tool takes, mean of an exponential distribution. */
    tool_ms: z.number().nonnegative(),
  }),
])
export type MadeSpec = z.output<typeof madeSpecSchema>
export type TalkSpec = Extract<MadeSpec, {kind: 'multi-turn' | 'agentic'}>

export const FILE_FORMATS = [
  'sharegpt',
  'jsonl',
  'openai',
  'mooncake',
  'vllm-trace',
  'azure',
  'burstgpt',
] as const
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
  /** The part of a trace to send, in its own time; null is to its end. */
  start_ms: z.number().nonnegative().default(0),
  end_ms: z.number().nonnegative().nullable().default(null),
  history,
  /** At most so many requests; null for all. */
  limit: z.int().positive().nullable(),
})
export type FileSpec = z.output<typeof fileSpecSchema>

export const workloadSpecSchema = z.union([madeSpecSchema, fileSpecSchema])
export type WorkloadSpec = z.output<typeof workloadSpecSchema>
