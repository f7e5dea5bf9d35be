const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text made safe for element content and quoted attributes; characters that HTML forbids become U+FFFD. */
export function escapeHtml(text: string): string {
  return text
    .replace(/[&<>"']/g, character => ENTITIES[character]!)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ud800-\udfff]/gu, '\ufffd')
}

/** Markup that may stand in a page as it is: only `html` and `trustedMarkup` make it. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

export type HtmlValue = Markup | string | number | null | readonly HtmlValue[]

/** Markup of our own making (a rendered chart, the style sheet); never for text that came from outside. */
export function trustedMarkup(text: string): Markup {
  return new Markup(text)
}

/** A template whose every value is escaped, unless it is `Markup` itself; arrays are joined, `null` leaves nothing. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Markup {
  const text = strings.reduce((page, part, at) => page + toText(values[at - 1] ?? null) + part)
  return new Markup(text)
}

function toText(value: HtmlValue): string {
  if (value === null) return ''
  if (value instanceof Markup) return value.text
  if (Array.isArray(value)) return (value as readonly HtmlValue[]).map(toText).join('')
  return escapeHtml(String(value))
}
