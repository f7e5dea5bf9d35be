import {z} from 'zod'
import {optional, samplingFields} from './sampling.js'

const contentPart = z.union([z.string(), z.looseObject({type: z.string()})])

const message = z.looseObject({
  role: z.string('must be a string').min(1).max(64),
  content: optional(z.union([z.string(), z.array(contentPart)], 'must be a string or a list of parts')),
  tool_calls: optional(z.array(z.looseObject({}))),
})

export const chatRequest = z.looseObject({
  ...samplingFields,
  messages: z.array(message, 'must be a list of messages').min(1, 'must hold at least one message'),
  max_tokens: optional(z.int('must be an integer')),
  max_completion_tokens: optional(z.int('must be an integer')),
  logprobs: optional(z.boolean('must be true or false')),
  top_logprobs: optional(z.int('must be an integer')),
  tools: optional(z.array(z.looseObject({}))),
  tool_choice: optional(z.union([z.string(), z.looseObject({})])),
  add_generation_prompt: optional(z.boolean()),
  continue_final_message: optional(z.boolean()),
  chat_template: optional(z.string()),
})

export type ChatRequest = z.output<typeof chatRequest>
export type ChatMessage = ChatRequest['messages'][number]
