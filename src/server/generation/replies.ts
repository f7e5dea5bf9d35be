import type {Usage} from '../../lib/openai/index.js'
import type {Tokenizer} from '../../lib/tokens/index.js'
import type {Choice, ChoicePiece} from './choice.js'
import type {ReplyIdentity} from './identity.js'
import {chatLogprobs, completionLogprobs} from './logprobs.js'
import type {ChatPlan} from './plan-chat.js'
import type {GenerationPlan} from './plan.js'
import {finishReason, wholeMessage} from './tool-calls.js'

/** A choice that has ended, with all it said. */
export interface Answer {
  readonly choice: Choice
  readonly piece: ChoicePiece
}

/** The document of a `/v1/completions` call that is not streamed: every key is there, nulls too. */
export function completionReply(
  identity: ReplyIdentity,
  plan: GenerationPlan,
  answers: readonly Answer[],
  usage: Usage,
  tokenizer: Tokenizer,
): object {
  return {
    id: identity.id,
    object: 'text_completion',
    created: identity.createdSeconds,
    model: plan.model,
    choices: answers.map(({choice, piece}) => ({
      index: choice.index,
      text: piece.text,
      logprobs:
        plan.logprobs === null
          ? null
          : completionLogprobs(
              piece.tokenIds,
              plan.echoes?.[choice.promptIndex]?.length ?? 0,
              plan,
              tokenizer,
            ),
      finish_reason: piece.finish?.reason ?? null,
      stop_reason: piece.finish?.stopReason ?? null,
      token_ids: plan.returnsTokenIds ? piece.tokenIds : null,
      prompt_logprobs: null,
      prompt_token_ids: plan.returnsTokenIds ? plan.prompts[choice.promptIndex] : null,
      routed_experts: null,
    })),
    service_tier: null,
    system_fingerprint: identity.systemFingerprint,
    usage: {...usage, prompt_tokens_details: usage.prompt_tokens_details ?? null},
    kv_transfer_params: null,
  }
}

/** The document of a `/v1/chat/completions` call that is not streamed. */
export function chatReply(
  identity: ReplyIdentity,
  plan: ChatPlan,
  answers: readonly Answer[],
  usage: Usage,
  tokenizer: Tokenizer,
): object {
  return {
    id: identity.id,
    object: 'chat.completion',
    created: identity.createdSeconds,
    model: plan.model,
    choices: answers.map(answer => chatChoice(plan, answer, tokenizer)),
    service_tier: null,
    system_fingerprint: identity.systemFingerprint,
    usage: {...usage, prompt_tokens_details: usage.prompt_tokens_details ?? null},
    prompt_logprobs: null,
    prompt_token_ids: plan.returnsTokenIds ? plan.prompts[0] : null,
    prompt_text: null,
    kv_transfer_params: null,
  }
}

function chatChoice(plan: ChatPlan, {choice, piece}: Answer, tokenizer: Tokenizer): object {
  const {content, tool_calls} = plan.tools
    ? wholeMessage(plan.tools, piece.text)
    : {content: piece.text, tool_calls: []}
  const reason = piece.finish?.reason ?? null
  return {
    index: choice.index,
    message: {
      role: plan.role,
      content,
      refusal: null,
      annotations: null,
      audio: null,
      function_call: null,
      tool_calls,
      reasoning: null,
    },
    logprobs: plan.logprobs === null ? null : chatLogprobs(piece.tokenIds, plan, tokenizer),
    finish_reason: reason && finishReason(reason, plan.tools, tool_calls.length > 0),
    stop_reason: piece.finish?.stopReason ?? null,
    token_ids: plan.returnsTokenIds ? piece.tokenIds : null,
    routed_experts: null,
  }
}
