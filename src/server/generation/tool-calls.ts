import {randomUUID} from 'node:crypto'
import type {FinishReason} from '../../lib/engine/index.js'
import type {ToolDelta} from './tool-reader.js'
import type {ToolPlan} from './tools.js'

/** A call as a whole reply carries it. */
export interface ToolCall {
  readonly id: string
  readonly type: 'function'
  readonly function: {readonly name: string; arguments: string}
}

/** `delta` of a streamed chat choice that may call tools. */
export interface ToolCallingDelta {
  content?: string
  tool_calls?: object[]
}

const newCallId = (): string => `chatcmpl-tool-${randomUUID().replaceAll('-', '')}`

/**
 * The delta of a stream event, keys in vLLM's order; several deltas of one call are joined.
 *
 * @see vllm-project/vllm:vllm/entrypoints/openai/engine/protocol.py — DeltaToolCall, without the keys that are not set
 */
export function streamedDelta(deltas: readonly ToolDelta[]): ToolCallingDelta {
  const body: ToolCallingDelta = {}
  const calls = new Map<number, {index: number; function: {name?: string; arguments: string}}>()
  for (const delta of deltas) {
    if (delta.kind === 'content') {
      body.content = (body.content ?? '') + delta.text
      continue
    }
    const {index} = delta
    const call = calls.get(index)
    if (delta.kind === 'call') {
      const begun = {id: newCallId(), type: 'function', index, function: {name: delta.name, arguments: ''}}
      calls.set(index, begun)
    } else if (call) call.function.arguments += delta.text
    else calls.set(index, {index, function: {arguments: delta.text}})
  }
  if (calls.size > 0) body.tool_calls = [...calls.values()]
  return body
}

/** `content` and `tool_calls` of a reply's message. */
export function wholeMessage(plan: ToolPlan, text: string): {content: string | null; tool_calls: ToolCall[]} {
  const calls: ToolCall[] = []
  let content = ''
  for (const delta of plan.startReader().push(text, true)) {
    if (delta.kind === 'content') content += delta.text
    else if (delta.kind === 'arguments') calls[delta.index]!.function.arguments += delta.text
    else calls.push({id: newCallId(), type: 'function', function: {name: delta.name, arguments: ''}})
  }
  // vLLM writes null only where the model chose to call and said nothing else.
  const isNull = plan.choice === 'auto' && calls.length > 0 && content === ''
  return {content: isNull ? null : content, tool_calls: calls}
}

/**
 * A complete answer with calls ends with `tool_calls`, unless the request named the function.
 *
 * @see vllm-project/vllm:vllm/entrypoints/openai/chat_completion/serving.py — chat_completion_stream_generator
 */
export function finishReason(reason: FinishReason, plan: ToolPlan | null, hasCalls: boolean): string {
  return reason === 'stop' && hasCalls && plan !== null && plan.choice !== 'named' ? 'tool_calls' : reason
}
