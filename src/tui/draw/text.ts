import stringWidth from 'string-width'

const PLAIN = /^[\u0020-\u007E]*$/

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

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)))
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - widthOf(text))) + text
}
