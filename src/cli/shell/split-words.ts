import {ConfigurationError} from '../../lib/foundation/index.js'

/**
 * Pure: a line as words, quoted as for a POSIX shell: `'…'` as it stands, `"…"` with `\"` and `\\`, `\` before any character.
 * Nothing is expanded.
 *
 * @throws ConfigurationError `QUOTE_UNCLOSED`
 */
export function splitWords(line: string): string[] {
  const words: string[] = []
  let word: string | null = null
  let quote: '"' | "'" | null = null
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!
    const next = line[at + 1]
    if (quote !== null && character === quote) quote = null
    else if (quote === null && (character === '"' || character === "'"))
      [quote, word] = [character, word ?? '']
    else if (character === '\\' && next !== undefined && isEscape(quote, next)) {
      word = (word ?? '') + next
      at++
    } else if (quote === null && /\s/.test(character)) {
      if (word !== null) words.push(word)
      word = null
    } else word = (word ?? '') + character
  }
  if (quote !== null)
    throw new ConfigurationError('QUOTE_UNCLOSED', `there is no closing ${quote} in: ${line}`)
  if (word !== null) words.push(word)
  return words
}

function isEscape(quote: '"' | "'" | null, next: string): boolean {
  if (quote === "'") return false
  return quote === null || next === '"' || next === '\\'
}
