import * as z from 'zod'

/** A field that may be missing or null, both meaning its default, as vLLM's `T | None` fields. */
export const optional = <T extends z.ZodType>(type: T): z.ZodOptional<z.ZodNullable<T>> => type.nullish()

const integer = z.int('must be an integer')
const number = z.number('must be a finite number')
const flag = optional(z.boolean('must be true or false'))

/** A limit that vLLM checks after parsing; its message names the value. */
function limited<T extends z.ZodType>(type: T, isFine: (value: z.output<T>) => boolean, rule: string): T {
  return type.refine(isFine, {
    error: issue => rule.replace('%', JSON.stringify(issue.input)),
    params: {isLimit: true},
  })
}

const within = (name: string, low: number, high: number): z.ZodNumber =>
  limited(number, value => value >= low && value <= high, `${name} must be in [${low}, ${high}], got %.`)
const tokenIds = z.array(limited(integer, id => id >= 0, 'token ids must not be negative, got %.'))
const stopString = limited(z.string(), text => text !== '', 'stop cannot contain an empty string.')

/**
 * The sampling fields that completions and chat share. Unknown fields pass unread.
 *
 * @see vllm-project/vllm:vllm/sampling_params.py — the same limits, `_verify_args`
 */
export const samplingFields = {
  model: optional(z.string('must be a string')),
  min_tokens: optional(
    limited(integer, n => n >= 0, 'min_tokens must be greater than or equal to 0, got %.'),
  ),
  n: optional(limited(integer, n => n >= 1, 'n must be at least 1, got %.')),
  temperature: optional(limited(number, value => value >= 0, 'temperature must be non-negative, got %.')),
  top_p: optional(limited(number, value => value > 0 && value <= 1, 'top_p must be in (0, 1], got %.')),
  top_k: optional(
    limited(integer, value => value >= -1, 'top_k must be 0 or -1 (disable), or at least 1, got %.'),
  ),
  min_p: optional(within('min_p', 0, 1)),
  frequency_penalty: optional(within('frequency_penalty', -2, 2)),
  presence_penalty: optional(within('presence_penalty', -2, 2)),
  repetition_penalty: optional(
    limited(number, value => value > 0, 'repetition_penalty must be greater than zero, got %.'),
  ),
  seed: optional(
    limited(
      number,
      seed => Number.isInteger(seed) && Math.abs(seed) <= 2 ** 63,
      'seed must be an integer of 64 bits, got %.',
    ),
  ),
  stop: optional(z.union([stopString, z.array(stopString)], 'must be a string or a list of strings')),
  stop_token_ids: optional(tokenIds),
  include_stop_str_in_output: flag,
  ignore_eos: flag,
  echo: flag,
  stream: flag,
  stream_options: optional(z.looseObject({include_usage: flag, continuous_usage_stats: flag})),
  logit_bias: optional(z.record(z.string(), within('logit_bias', -100, 100))),
  prompt_logprobs: optional(integer),
  truncate_prompt_tokens: optional(
    limited(integer, value => value >= -1, 'truncate_prompt_tokens must be at least -1, got %.'),
  ),
  priority: optional(integer),
  request_id: optional(z.string()),
  cache_salt: optional(limited(z.string(), text => text !== '', 'cache_salt must be a non-empty string.')),
  return_token_ids: flag,
  return_tokens_as_token_ids: flag,
  response_format: optional(
    z.looseObject({type: z.string(), json_schema: optional(z.looseObject({schema: optional(z.unknown())}))}),
  ),
  structured_outputs: optional(
    z.looseObject({
      json: optional(z.unknown()),
      regex: optional(z.string()),
      choice: optional(z.array(z.string())),
      grammar: optional(z.unknown()),
      json_object: optional(z.boolean()),
      structural_tag: optional(z.unknown()),
    }),
  ),
  use_beam_search: flag,
} as const

/** Fields of every generation request, parsed. */
export type SamplingFields = z.output<z.ZodObject<typeof samplingFields>>

/** `isLimit` of the issue that refused a body: a broken limit rather than a wrong shape. */
export function isLimitIssue(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'custom' && issue.params?.['isLimit'] === true
}
