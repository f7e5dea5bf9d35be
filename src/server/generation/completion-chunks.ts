import type {Tokenizer} from '../../lib/tokens/index.js'
import {event, type ChunkWriter} from './chunk-writer.js'
import type {ReplyIdentity} from './identity.js'
import {completionLogprobs} from './logprobs.js'
import type {GenerationPlan} from './plan.js'

/**
 * The stream of `/v1/completions`, keys in vLLM's order: no role event; an echoed prompt rides with the first piece.
 *
 * @see vllm-project/vllm:vllm/entrypoints/openai/completion/serving.py — completion_stream_generator
 */
export function createCompletionChunks(
  identity: ReplyIdentity,
  plan: GenerationPlan,
  tokenizer: Tokenizer,
): ChunkWriter {
  const start =
    `{"id":${JSON.stringify(identity.id)},"object":"text_completion","created":${identity.createdSeconds},` +
    `"model":${JSON.stringify(plan.model)},"choices":[`
  const fingerprint = `,"system_fingerprint":${JSON.stringify(identity.systemFingerprint)}`
  const choiceCount = plan.prompts.length * plan.n
  const starts = Array.from({length: choiceCount}, (_, index) => `data: ${start}{"index":${index},"text":`)
  const offsets = Array.from(
    {length: choiceCount},
    (_, index) => plan.echoes?.[Math.floor(index / plan.n)]?.length ?? 0,
  )
  const isOpened = Array<boolean>(choiceCount).fill(false)
  return {
    opening: () => '',
    piece(choice, {text, tokenIds, finish}, usage, isTerminal) {
      const offset = offsets[choice.index]!
      const logprobs =
        plan.logprobs === null
          ? 'null'
          : JSON.stringify(completionLogprobs(tokenIds, offset, plan, tokenizer))
      if (plan.logprobs !== null) offsets[choice.index] = offset + tokenizer.decode(tokenIds).length
      const promptIds =
        plan.returnsTokenIds && !isOpened[choice.index]
          ? JSON.stringify(plan.prompts[choice.promptIndex])
          : 'null'
      isOpened[choice.index] = true
      return (
        `${starts[choice.index]!}${JSON.stringify(text)},"logprobs":${logprobs},` +
        `"finish_reason":${finish ? `"${finish.reason}"` : 'null'},` +
        `"stop_reason":${finish ? JSON.stringify(finish.stopReason) : 'null'},"prompt_token_ids":${promptIds},` +
        `"token_ids":${plan.returnsTokenIds ? JSON.stringify(tokenIds) : 'null'}}]` +
        `${usage ? `,"usage":${JSON.stringify(usage)}` : ''}${isTerminal ? fingerprint : ''}}\n\n`
      )
    },
    usage: usage => event(`${start}],"usage":${JSON.stringify(usage)}${fingerprint}}`),
  }
}
