import {schemaGrammar, type GrammarNode} from '../../lib/grammar/index.js'
import {ApiError} from '../api-error.js'
import type {ChatRequest, ChatTool} from '../schemas/chat.js'
import {planGuide, type StartGuide} from './guides.js'
import type {ServedModel} from './plan.js'
import {callsGrammar, REQUIRED_FORMAT, type ToolFormat} from './tool-format.js'
import {formattedToolReader, namedToolReader, type ToolReader} from './tool-reader.js'

/** How the tool calls of a request are made and read. */
export interface ToolPlan {
  readonly choice: 'auto' | 'required' | 'named'
  readonly startGuide: StartGuide
  /** Begins a reader for one answer. */
  readonly startReader: () => ToolReader
}

/** Calls in one answer, where several are allowed. */
const MOST_CALLS = 2

/**
 * @returns null where no tool is to be called
 * @throws ApiError 400
 * @see vllm-project/vllm:vllm/entrypoints/openai/chat_completion/protocol.py — check_tool_usage
 */
export function planTools(request: ChatRequest, isFormed: boolean, model: ServedModel): ToolPlan | null {
  const {tools, tool_choice: choice} = request
  if (!tools) {
    if (choice == null || choice === 'none') return null
    throw new ApiError(400, 'When using `tool_choice`, `tools` must be set.', 'tool_choice')
  }
  if (tools.length === 0) {
    throw new ApiError(400, '`tools` must not be an empty list; leave it out instead.', 'tools')
  }
  if (choice === 'none') return null
  if (choice == null || choice === 'auto') return planAuto(tools, request, isFormed, model)
  if (isFormed) {
    const message = 'You can only either use constraints for structured outputs or tools, not both.'
    throw new ApiError(400, message, 'tool_choice')
  }
  if (choice === 'required') return planCalls('required', REQUIRED_FORMAT, 1, tools, request, model)
  if (typeof choice === 'string') {
    throw new ApiError(400, `Invalid value for \`tool_choice\`: ${choice}`, 'tool_choice')
  }
  return planNamed(choice.function.name, tools, model)
}

function planAuto(
  tools: readonly ChatTool[],
  request: ChatRequest,
  isFormed: boolean,
  model: ServedModel,
): ToolPlan | null {
  if (!model.autoTools) {
    const message = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    throw new ApiError(400, message, 'tool_choice')
  }
  // An answer that must have another form cannot be a call.
  if (isFormed) return null
  return planCalls('auto', model.autoTools.format, model.autoTools.share, tools, request, model)
}

function planCalls(
  choice: 'auto' | 'required',
  format: ToolFormat,
  share: number,
  tools: readonly ChatTool[],
  request: ChatRequest,
  model: ServedModel,
): ToolPlan {
  const most = request.parallel_tool_calls === false ? 1 : MOST_CALLS
  const grammar = (): GrammarNode =>
    callsGrammar(
      format,
      tools.map(tool => ({name: tool.function.name, arguments: argumentsGrammar(tool)})),
      most,
    )
  return {
    choice,
    startGuide: planGuide(grammar, share, model.tokenizer, 'function parameters', 'tools'),
    startReader: () => formattedToolReader(format),
  }
}

function planNamed(name: string, tools: readonly ChatTool[], model: ServedModel): ToolPlan {
  const tool = tools.find(one => one.function.name === name)
  if (!tool) {
    const message = 'The tool specified in `tool_choice` does not match any of the specified `tools`'
    throw new ApiError(400, message, 'tool_choice')
  }
  return {
    choice: 'named',
    startGuide: planGuide(() => argumentsGrammar(tool), 1, model.tokenizer, 'function parameters', 'tools'),
    startReader: () => namedToolReader(name),
  }
}

/** Arguments are an object even where their schema forgets to say so; without one there are none. */
function argumentsGrammar({function: {parameters}}: ChatTool): GrammarNode {
  if (parameters == null) return schemaGrammar({type: 'object', additionalProperties: false})
  const saysMore = ['type', '$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const'].some(key => key in parameters)
  return schemaGrammar(saysMore ? parameters : {...parameters, type: 'object'})
}

/** The definitions of tools as a system turn, as chat templates write them; null where there are none to show. */
export function toolsText(tools: ChatRequest['tools']): string | null {
  if (!tools || tools.length === 0) return null
  return ['# Tools', ...tools.map(tool => JSON.stringify(tool))].join('\n')
}
