import * as z from 'zod'
import {optional, samplingFields} from './sampling.js'

/** A prompt as text or token ids, alone or in a batch; one pass, because a prompt may hold 100,000 ids. */
export type Prompt = string | string[] | number[] | number[][]

const isIds = (value: unknown): boolean =>
  Array.isArray(value) && value.every(id => Number.isSafeInteger(id) && (id as number) >= 0)
const isPrompt = (value: unknown): boolean =>
  typeof value === 'string' ||
  isIds(value) ||
  (Array.isArray(value) && (value.every(item => typeof item === 'string') || value.every(isIds)))

export const completionRequest = z.looseObject({
  ...samplingFields,
  prompt: z.custom<Prompt>(isPrompt, 'must be a string, token ids, or a list of either').nullish(),
  prompt_embeds: optional(z.unknown()),
  max_tokens: optional(z.int('must be an integer')),
  logprobs: optional(z.int('must be an integer')),
  suffix: optional(z.string()),
})

export type CompletionRequest = z.output<typeof completionRequest>
