import type {Turn} from '../../lib/tokens/index.js'
import {ApiError} from '../api-error.js'
import type {ChatMessage, ChatRequest} from '../schemas/chat.js'
import {
  checkLogprobs,
  planCommon,
  planLength,
  refuseFarTooLong,
  type GenerationPlan,
  type ServedModel,
} from './plan.js'
import {truncate} from './plan-completion.js'
import {planTools, toolsText, type ToolPlan} from './tools.js'

/** A chat request also decides who answers, and whether by calling tools. */
export interface ChatPlan extends GenerationPlan {
  readonly role: string
  readonly tools: ToolPlan | null
}

/** @throws ApiError 400, 404 or 501 */
export function planChat(request: ChatRequest, model: ServedModel): ChatPlan {
  const common = planCommon(request, model)
  const tools = planTools(request, common.startGuide !== null, model)
  const addGenerationPrompt = request.add_generation_prompt ?? true
  const last = request.messages.at(-1)!
  const role = addGenerationPrompt ? 'assistant' : last.role
  const asked = request.max_completion_tokens ?? request.max_tokens ?? null
  if (asked !== null && asked < 1) {
    throw new ApiError(400, `max_tokens must be at least 1, got ${asked}.`, 'max_tokens')
  }
  if (request.top_logprobs != null && !request.logprobs) {
    throw new ApiError(400, 'when using `top_logprobs`, `logprobs` must be set to true.', 'top_logprobs')
  }
  const ids = encodeConversation(request, asked ?? 1, model)
  const prompt = truncate(ids, request.truncate_prompt_tokens, model)
  const echo = request.echo && last.role === role ? messageText(last, model) : null
  return {
    ...common,
    ...planLength(asked, request.min_tokens ?? 0, prompt.length, model),
    role,
    tools,
    startGuide: tools?.startGuide ?? common.startGuide,
    prompts: [prompt],
    echoes: echo === null ? null : [echo],
    logprobs: request.logprobs ? checkLogprobs(request.top_logprobs ?? 0, model, 'top_logprobs') : null,
  }
}

/** The fields of a conversation that chat and `/tokenize` share. */
export type Conversation = Pick<
  ChatRequest,
  'messages' | 'tools' | 'add_generation_prompt' | 'continue_final_message' | 'chat_template'
>

/** @throws ApiError 400 for settings that exclude each other, other media than text, or a text far too long */
export function encodeConversation(
  request: Conversation,
  outputTokens: number,
  model: ServedModel,
): number[] {
  const continueFinalMessage = request.continue_final_message ?? false
  const addGenerationPrompt = request.add_generation_prompt ?? true
  if (continueFinalMessage && addGenerationPrompt) {
    const message = 'Cannot set both `continue_final_message` and `add_generation_prompt` to True.'
    throw new ApiError(400, message, 'continue_final_message')
  }
  if (request.chat_template != null) {
    const message =
      'Chat template is passed with request, but --trust-request-chat-template is not set. ' +
      'Refused request with untrusted chat template.'
    throw new ApiError(400, message, 'chat_template')
  }
  const tools = toolsText(request.tools)
  const turns: Turn[] = [
    ...(tools === null ? [] : [{role: 'system', content: tools}]),
    ...request.messages.map(message => ({role: message.role, content: messageText(message, model)})),
  ]
  refuseFarTooLong(
    turns.map(turn => turn.content),
    outputTokens,
    model,
  )
  return model.tokenizer.encodeChat(turns, {addGenerationPrompt, continueFinalMessage})
}

function messageText(message: ChatMessage, model: ServedModel): string {
  const parts = typeof message.content === 'string' ? [message.content] : (message.content ?? [])
  const texts = parts.map(part => {
    const text = typeof part === 'string' ? part : part['text']
    if (typeof text === 'string' && (typeof part === 'string' || /^(input_|output_)?text$/.test(part.type))) {
      return text
    }
    throw new ApiError(400, `${model.names[0]} is not a multimodal model`, 'messages')
  })
  const calls = (message.tool_calls ?? []).map(call => JSON.stringify(call['function'] ?? call))
  return [...texts, ...calls].join('\n')
}
