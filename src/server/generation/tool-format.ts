import {all, any, repeat, text, type GrammarNode} from '../../lib/grammar/index.js'

/** How calls are written in the text of an answer: `start head name key arguments tail [separator head …] end`. */
export interface ToolFormat {
  readonly start: string
  readonly head: string
  readonly key: string
  readonly tail: string
  readonly separator: string
  readonly end: string
}

/** Whether a model may choose to call tools, and how it then writes calls. */
export interface AutoTools {
  readonly format: ToolFormat
  /** Of answers that call a tool where they may choose. */
  readonly share: number
}

/**
 * What models write that may choose whether to call, by the name of the parser that reads them.
 *
 * @see vllm-project/vllm:docs/features/tool_calling.md — the parsers' names; the formats are those of each family's chat template
 */
export const TOOL_FORMATS = {
  hermes: {
    start: '',
    head: '<tool_call>\n{"name": "',
    key: '", "arguments": ',
    tail: '}\n</tool_call>',
    separator: '\n',
    end: '',
  },
  llama3_json: {start: '', head: '{"name": "', key: '", "parameters": ', tail: '}', separator: '; ', end: ''},
} as const satisfies Record<string, ToolFormat>

/**
 * What every model writes that must call.
 *
 * @see vllm-project/vllm:vllm/tool_parsers/utils.py — get_json_schema_from_tools, a list of name and parameters
 */
export const REQUIRED_FORMAT: ToolFormat = {
  start: '[',
  head: '{"name": "',
  key: '", "parameters": ',
  tail: '}',
  separator: ', ',
  end: ']',
}

/** @param most calls in one answer */
export function callsGrammar(
  format: ToolFormat,
  tools: readonly {readonly name: string; readonly arguments: GrammarNode}[],
  most: number,
): GrammarNode {
  const calls = tools.map(tool => {
    const name = JSON.stringify(tool.name).slice(1, -1)
    return all(text(`${format.head}${name}${format.key}`), tool.arguments, text(format.tail))
  })
  return all(text(format.start), repeat(any(calls), format.separator, 1, most), text(format.end))
}
