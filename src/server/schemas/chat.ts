import * as z from 'zod'
import {optional, samplingFields} from './sampling.js'

const contentPart = z.union([z.string(), z.looseObject({type: z.string()})])

const message = z.looseObject({
  role: z.string('must be a string').min(1).max(64),
  content: optional(z.union([z.string(), z.array(contentPart)], 'must be a string or a list of parts')),
  tool_calls: optional(z.array(z.looseObject({}))),
})

const tool = z.looseObject({
  type: z.literal('function', "must be 'function'"),
  function: z.looseObject({
    name: z.string('must be a string').min(1, 'must not be empty'),
    parameters: optional(z.record(z.string(), z.unknown(), 'must be a JSON schema')),
  }),
})
const namedTool = z.looseObject({
  type: z.literal('function', "must be 'function'"),
  function: z.looseObject({name: z.string('must be a string')}),
})

export const chatRequest = z.looseObject({
  ...samplingFields,
  messages: z.array(message, 'must be a list of messages').min(1, 'must hold at least one message'),
  max_tokens: optional(z.int('must be an integer')),
  max_completion_tokens: optional(z.int('must be an integer')),
  logprobs: optional(z.boolean('must be true or false')),
  top_logprobs: optional(z.int('must be an integer')),
  tools: optional(z.array(tool, 'must be a list of tools')),
  tool_choice: optional(z.union([z.string(), namedTool], 'must be a string or name a function')),
  parallel_tool_calls: optional(z.boolean('must be true or false')),
  add_generation_prompt: optional(z.boolean()),
  continue_final_message: optional(z.boolean()),
  chat_template: optional(z.string()),
})

export type ChatRequest = z.output<typeof chatRequest>
export type ChatTool = z.output<typeof tool>
export type ChatMessage = ChatRequest['messages'][number]
