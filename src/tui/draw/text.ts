import stringWidth from 'string-width'

/** Of one column each: ASCII, and what screens are drawn of (`glyphs.ts`). Measuring them one by one costs more than drawing. */
const PLAIN = /^[\u0020-\u007E·…─▁-▏▒▕▲▸▼]*$/

const CONTROL = /[\u0000-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g

/** Columns that a text takes on a terminal. */
export function widthOf(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text)
}

/** A file's or a server's text without what would steer the terminal. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, '?')
}

/** Cuts to `columns`, the last of which says that something was cut. */
export function cut(text: string, columns: number, ellipsis: string): string {
  if (widthOf(text) <= columns) return text
  if (columns <= 0) return ''
  let kept = ''
  let width = 0
  for (const character of text) {
    const next = width + widthOf(character)
    if (next > columns - 1) break
    kept += character
    width = next
  }
  return kept + ellipsis
}

/** Lines of whole words, none wider than `columns`; a word that is wider is cut. */
export function wrap(text: string, columns: number, ellipsis: string): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    const isJoined = last !== undefined && widthOf(last) + 1 + widthOf(word) <= columns
    if (isJoined) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(cut(word, columns, ellipsis))
  }
  return lines
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)))
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - widthOf(text))) + text
}
