import * as z from 'zod'
import {chatRequest} from './chat.js'
import {optional, samplingFields} from './sampling.js'

const {messages, tools, add_generation_prompt, continue_final_message, chat_template} = chatRequest.shape

const textOrConversation = {
  model: optional(z.string()),
  prompt: optional(z.string('must be a string')),
  messages: optional(messages),
  tools,
  add_generation_prompt,
  continue_final_message,
  chat_template,
}
export type TextOrConversation = z.output<z.ZodObject<typeof textOrConversation>>

const tokenIds = z.custom<number[]>(
  value => Array.isArray(value) && value.every(id => Number.isSafeInteger(id) && id >= 0),
  'must be a list of token ids',
)

/** `/tokenize`: either a prompt or a conversation. */
export const tokenizeRequest = z
  .looseObject({...textOrConversation, return_token_strs: optional(z.boolean())})
  .refine(body => body.prompt != null || body.messages != null, 'needs `prompt` or `messages`')

export const detokenizeRequest = z.looseObject({model: optional(z.string()), tokens: tokenIds})

/** `/kvctl/lookup`: a prompt, a conversation or token ids. */
export const lookupRequest = z
  .looseObject({
    ...textOrConversation,
    tokens: optional(tokenIds),
    cache_salt: samplingFields.cache_salt,
  })
  .refine(
    body => body.prompt != null || body.messages != null || body.tokens != null,
    'needs `prompt`, `messages` or `tokens`',
  )
