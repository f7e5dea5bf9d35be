import type {ToolFormat} from './tool-format.js'

/** What a piece of an answer's text turned out to be. */
export type ToolDelta =
  | {readonly kind: 'content'; readonly text: string}
  | {readonly kind: 'call'; readonly index: number; readonly name: string}
  | {readonly kind: 'arguments'; readonly index: number; readonly text: string}

/** Finds tool calls in an answer as it grows. */
export interface ToolReader {
  /** @param isLast nothing follows, so nothing needs to be held back */
  push(text: string, isLast: boolean): ToolDelta[]
}

/** The whole text is the arguments of one function. */
export function namedToolReader(name: string): ToolReader {
  let hasBegun = false
  return {
    push(text) {
      if (text === '') return []
      const begins: ToolDelta[] = hasBegun ? [] : [{kind: 'call', index: 0, name}]
      hasBegun = true
      return [...begins, {kind: 'arguments', index: 0, text}]
    },
  }
}

const NAME = /^((?:[^"\\]|\\.)*)"/s

/** Calls written in a format; text before the first is content where the format has no start of its own. */
export function formattedToolReader(format: ToolFormat): ToolReader {
  const {head} = format
  const key = format.key.slice(1)
  let state: 'outside' | 'name' | 'key' | 'arguments' = 'outside'
  let pending = ''
  let index = -1
  let arguments_ = openArguments()

  const outside = (isLast: boolean): ToolDelta[] | null => {
    const at = pending.indexOf(head)
    const end = at >= 0 ? at : pending.length - (isLast ? 0 : overlap(pending, head))
    const text = pending.slice(0, end)
    pending = pending.slice(at >= 0 ? at + head.length : end)
    if (at >= 0) state = 'name'
    const isContent = index < 0 && format.start === '' && text !== ''
    const content: ToolDelta[] = isContent ? [{kind: 'content', text}] : []
    return at >= 0 || isContent ? content : null
  }
  const name = (): ToolDelta[] | null => {
    const match = NAME.exec(pending)
    if (!match) return null
    pending = pending.slice(match[0].length)
    state = 'key'
    return [{kind: 'call', index: ++index, name: JSON.parse(`"${match[1]!}"`) as string}]
  }
  const step = (isLast: boolean): ToolDelta[] | null => {
    if (state === 'outside') return outside(isLast)
    if (state === 'name') return name()
    if (state === 'key') {
      if (pending.length < key.length) return null
      pending = pending.slice(key.length)
      state = 'arguments'
      arguments_ = openArguments()
      return []
    }
    const length = arguments_.read(pending)
    const text = pending.slice(0, length)
    if (length < pending.length) state = 'outside'
    pending = pending.slice(length)
    return text === '' ? (state === 'outside' ? [] : null) : [{kind: 'arguments', index, text}]
  }
  return {
    push(text, isLast) {
      pending += text
      const deltas: ToolDelta[] = []
      for (let more = step(isLast); more; more = step(isLast)) deltas.push(...more)
      return deltas
    },
  }
}

/** How much of the end of `text` is the beginning of `mark`. */
function overlap(text: string, mark: string): number {
  let length = Math.min(text.length, mark.length - 1)
  while (length > 0 && !text.endsWith(mark.slice(0, length))) length--
  return length
}

/** A JSON value on its way, inside an object whose closing brace ends it. */
function openArguments(): {read(text: string): number} {
  let depth = 0
  let isInString = false
  let isEscaped = false
  return {
    /** @returns how many characters of `text` belong to the value; fewer than it has once the value has ended */
    read(text) {
      for (let at = 0; at < text.length; at++) {
        const character = text[at]!
        if (isInString) {
          if (isEscaped) isEscaped = false
          else if (character === '\\') isEscaped = true
          else if (character === '"') isInString = false
        } else if (character === '"') isInString = true
        else if (character === '{' || character === '[') depth++
        else if (character === '}' || character === ']') {
          if (depth === 0) return at
          depth--
        }
      }
      return text.length
    },
  }
}
