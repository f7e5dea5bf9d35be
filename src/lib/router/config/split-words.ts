/**
 * Splits a line into words as a POSIX shell does, and does nothing else of what a shell does: quotes and backslashes count,
 * `$`, `*` and `;` are letters.
 *
 * @returns null where a quote is not closed
 */
export function splitWords(line: string): string[] | null {
  const words: string[] = []
  let word = ''
  let isOpen = false
  let quote: '"' | "'" | null = null
  for (let index = 0; index < line.length; index++) {
    const char = line[index]!
    if (quote !== null) {
      if (char === quote) quote = null
      else if (char === '\\' && quote === '"' && /["\\$`]/.test(line[index + 1] ?? '')) word += line[++index]!
      else word += char
    } else if (char === '"' || char === "'") {
      quote = char
      isOpen = true
    } else if (char === '\\') {
      word += line[++index] ?? ''
      isOpen = true
    } else if (/\s/.test(char)) {
      if (isOpen) words.push(word)
      word = ''
      isOpen = false
    } else {
      word += char
      isOpen = true
    }
  }
  if (quote !== null) return null
  return isOpen ? [...words, word] : words
}
