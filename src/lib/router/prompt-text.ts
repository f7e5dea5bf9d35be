/**
 * Pure: what of a request's body an engine turns into tokens, in its order: tools, then messages, or the prompt. Two requests
 * whose texts begin alike share cached blocks.
 */
export function promptText(body: Readonly<Record<string, unknown>>): string {
  const {tools, messages, prompt, input, cache_salt: salt} = body
  const head = `${typeof salt === 'string' ? salt : ''}${tools === undefined ? '' : JSON.stringify(tools)}`
  if (Array.isArray(messages)) return head + messages.map(messageText).join('')
  const text = prompt ?? input
  if (typeof text === 'string') return head + text
  // Token ids, or several prompts, of which the first decides.
  return head + (text === undefined ? '' : JSON.stringify(text))
}

function messageText(message: unknown): string {
  if (typeof message !== 'object' || message === null) return ''
  const {role, content} = message as {role?: unknown; content?: unknown}
  return `\n${String(role)}:${typeof content === 'string' ? content : JSON.stringify(content ?? message)}`
}
