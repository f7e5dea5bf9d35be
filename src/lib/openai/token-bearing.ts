import type {Delta, StreamChunk} from './wire.js'

/**
 * Whether a chunk brought a generated token: text, reasoning, refusal or part of a tool call in its first choice, or a
 * larger `usage.completion_tokens` than seen before (a parser swallowed the text, yet the token was generated).
 *
 * The role delta, empty deltas, a bare `finish_reason` and the usage chunk bring none: counting the role delta would stop
 * the TTFT clock at the first prefill step.
 *
 * @param seenCompletionTokens the largest `usage.completion_tokens` of the stream so far, 0 at its start
 * @see vllm-project/vllm issue 15106 — a role chunk 1.3 s before the first text
 */
export function isTokenBearing(chunk: StreamChunk, seenCompletionTokens: number): boolean {
  const choice = chunk.choices?.[0]
  // A usage chunk closes the stream: its total is what the chunks before it brought.
  if (!choice) return false
  if (hasText(choice.text) || (choice.delta && bringsToken(choice.delta))) return true
  return (chunk.usage?.completion_tokens ?? 0) > seenCompletionTokens
}

/** Whether a chunk brought a part of the answer itself: text, a refusal or a tool call, and not only reasoning. */
export function isAnswerBearing({choices}: StreamChunk): boolean {
  const choice = choices?.[0]
  return hasText(choice?.text) || (choice?.delta != null && bringsAnswer(choice.delta))
}

function bringsToken(delta: Delta): boolean {
  return hasText(delta.reasoning) || hasText(delta.reasoning_content) || bringsAnswer(delta)
}

function bringsAnswer(delta: Delta): boolean {
  return (
    hasText(delta.content) ||
    hasText(delta.refusal) ||
    (delta.tool_calls ?? []).some(call => hasText(call.function?.name) || hasText(call.function?.arguments))
  )
}

function hasText(text: string | null | undefined): boolean {
  return typeof text === 'string' && text !== ''
}
