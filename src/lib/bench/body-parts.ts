/** What `tools` of a profile or a file become in a request; nothing without any. A bare function is wrapped. */
export function toolsBody(tools: readonly object[] | undefined): Record<string, unknown> {
  if (tools === undefined || tools.length === 0) return {}
  const wrapped = tools.map(tool => ('function' in tool ? tool : {type: 'function', function: tool}))
  return {tools: wrapped, tool_choice: 'auto'}
}

/** What makes an answer follow a JSON schema. */
export function schemaBody(schema: object): Record<string, unknown> {
  return {response_format: {type: 'json_schema', json_schema: {name: 'answer', schema}}}
}
