import {ApiError} from '../api-error.js'
import type {CompletionRequest, Prompt} from '../schemas/completions.js'
import {
  checkLogprobs,
  checkTokenIds,
  planCommon,
  planLength,
  refuseFarTooLong,
  type GenerationPlan,
  type ServedModel,
} from './plan.js'

const DEFAULT_MAX_TOKENS = 16

/** @throws ApiError 400, 404 or 501 */
export function planCompletion(request: CompletionRequest, model: ServedModel): GenerationPlan {
  const common = planCommon(request, model)
  const echo = request.echo ?? false
  const maxTokens = request.max_tokens ?? DEFAULT_MAX_TOKENS
  if (request.suffix) throw new ApiError(400, 'suffix is not currently supported', 'suffix')
  if (request.prompt_embeds != null) {
    throw new ApiError(400, 'You must set `--enable-prompt-embeds` to input `prompt_embeds`', 'prompt_embeds')
  }
  if (maxTokens < (echo ? 0 : 1)) {
    throw new ApiError(400, `max_tokens must be at least 1, got ${maxTokens}.`, 'max_tokens')
  }
  const prompts = listPrompts(request.prompt).map(prompt => readPrompt(prompt, request, maxTokens, model))
  if (prompts.length * common.n > model.maxSequencesPerRequest) {
    const message = `${prompts.length} prompts with n=${common.n} are more than ${model.maxSequencesPerRequest} answers.`
    throw new ApiError(400, message, 'prompt')
  }
  const longest = Math.max(...prompts.map(prompt => prompt.length))
  return {
    ...common,
    ...planLength(maxTokens, request.min_tokens ?? 0, longest, model),
    prompts,
    echoes: echo ? prompts.map(ids => model.tokenizer.decode(ids)) : null,
    logprobs: request.logprobs == null ? null : checkLogprobs(request.logprobs, model, 'logprobs'),
  }
}

/** @throws ApiError 400 when there is no prompt */
function listPrompts(prompt: Prompt | null | undefined): readonly (string | number[])[] {
  const list = (Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt : [prompt ?? '']) as (
    string | number[]
  )[]
  if (list.length === 0 || list.some(item => item.length === 0)) {
    throw new ApiError(400, 'Either prompt or prompt_embeds must be provided and non-empty.', 'prompt')
  }
  return list
}

function readPrompt(
  prompt: string | number[],
  request: CompletionRequest,
  maxTokens: number,
  model: ServedModel,
): readonly number[] {
  if (typeof prompt !== 'string') {
    checkTokenIds(prompt, model)
    return truncate(prompt, request.truncate_prompt_tokens, model)
  }
  refuseFarTooLong([prompt], maxTokens, model)
  return truncate(model.tokenizer.encode(prompt), request.truncate_prompt_tokens, model)
}

/** Keeps the last tokens; −1 means as many as the model takes. */
export function truncate(
  ids: readonly number[],
  keep: number | null | undefined,
  model: ServedModel,
): readonly number[] {
  if (keep == null) return ids
  const last = keep === -1 ? model.maxModelLen : keep
  if (last === 0) throw new ApiError(400, 'truncate_prompt_tokens leaves no prompt', 'truncate_prompt_tokens')
  return ids.slice(-last)
}
