import type {Tokenizer} from '../../lib/tokens/index.js'
import {event, type ChunkWriter} from './chunk-writer.js'
import type {ReplyIdentity} from './identity.js'
import {chatLogprobs} from './logprobs.js'
import type {ChatPlan} from './plan-chat.js'
import {finishReason, streamedDelta} from './tool-calls.js'

/**
 * The stream of `/v1/chat/completions`, keys in vLLM's order: role events for every choice together with the first token,
 * then one choice per event, the last delta together with its finish reason.
 *
 * @see vllm-project/vllm:vllm/entrypoints/openai/chat_completion/serving.py — chat_completion_stream_generator
 */
export function createChatChunks(identity: ReplyIdentity, plan: ChatPlan, tokenizer: Tokenizer): ChunkWriter {
  const start =
    `{"id":${JSON.stringify(identity.id)},"object":"chat.completion.chunk","created":${identity.createdSeconds},` +
    `"model":${JSON.stringify(plan.model)},"choices":[`
  const starts = Array.from({length: plan.n}, (_, index) => `data: ${start}{"index":${index},"delta":`)
  const fingerprint = `,"system_fingerprint":${JSON.stringify(identity.systemFingerprint)}`
  const promptIds = plan.returnsTokenIds ? JSON.stringify(plan.prompts[0]) : 'null'
  const emptyUsage = plan.continuousUsage
    ? `,"usage":${JSON.stringify({
        prompt_tokens: plan.prompts[0]!.length,
        total_tokens: plan.prompts[0]!.length,
        completion_tokens: 0,
      })}`
    : ''
  const callers = starts.map(() => ({reader: plan.tools?.startReader() ?? null, hasCalls: false}))
  /** @returns null where nothing of the text can be shown yet */
  const deltaOf = (index: number, text: string, isLast: boolean): string | null => {
    const caller = callers[index]!
    if (!caller.reader) return `{"content":${JSON.stringify(text)}}`
    const deltas = caller.reader.push(text, isLast)
    if (deltas.some(({kind}) => kind === 'call')) caller.hasCalls = true
    return deltas.length === 0 ? null : JSON.stringify(streamedDelta(deltas))
  }
  const echo = plan.echoes?.[0] ?? ''
  const delta = (index: number, body: object, rest: string): string =>
    event(
      `${start}{"index":${index},"delta":${JSON.stringify(body)},"logprobs":null,"finish_reason":null}]` +
        `${emptyUsage}${rest}}`,
    )
  return {
    opening() {
      const choices = Array.from({length: plan.n}, (_, index) => index)
      const rest = `,"prompt_token_ids":${promptIds},"prompt_text":null`
      const roles = choices.map(index => delta(index, {role: plan.role, content: ''}, rest))
      const echoes = echo === '' ? [] : choices.map(index => delta(index, {content: echo}, ''))
      return [...roles, ...echoes].join('')
    },
    piece(choice, {text, tokenIds, finish}, usage, isTerminal) {
      const body = deltaOf(choice.index, text, finish !== null)
      // Text held back is no event, unless something else rides on it.
      if (body === null && !finish && plan.logprobs === null && !plan.returnsTokenIds) return ''
      const {hasCalls} = callers[choice.index]!
      const logprobs =
        plan.logprobs === null ? 'null' : JSON.stringify(chatLogprobs(tokenIds, plan, tokenizer))
      const ending = finish
        ? `"finish_reason":"${finishReason(finish.reason, plan.tools, hasCalls)}","stop_reason":${JSON.stringify(finish.stopReason)}`
        : '"finish_reason":null'
      return (
        `${starts[choice.index]!}${body ?? '{}'},"logprobs":${logprobs},${ending},` +
        `"token_ids":${plan.returnsTokenIds ? JSON.stringify(tokenIds) : 'null'}}]` +
        `${usage ? `,"usage":${JSON.stringify(usage)}` : ''}${isTerminal ? fingerprint : ''}}\n\n`
      )
    },
    usage: usage => event(`${start}],"usage":${JSON.stringify(usage)}${fingerprint}}`),
  }
}
