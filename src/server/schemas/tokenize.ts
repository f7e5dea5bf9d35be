import {z} from 'zod'
import {chatRequest} from './chat.js'
import {optional} from './sampling.js'

const {messages, add_generation_prompt, continue_final_message, chat_template} = chatRequest.shape

/** Either a prompt or a conversation. */
export const tokenizeRequest = z
  .looseObject({
    model: optional(z.string()),
    prompt: optional(z.string('must be a string')),
    messages: optional(messages),
    add_generation_prompt,
    continue_final_message,
    chat_template,
    return_token_strs: optional(z.boolean()),
  })
  .refine(body => body.prompt != null || body.messages != null, 'needs `prompt` or `messages`')

export const detokenizeRequest = z.looseObject({
  model: optional(z.string()),
  tokens: z.custom<number[]>(
    value => Array.isArray(value) && value.every(id => Number.isSafeInteger(id) && id >= 0),
    'must be a list of token ids',
  ),
})
