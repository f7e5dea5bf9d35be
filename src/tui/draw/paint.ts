import type {Line, Span, Tone} from './line.js'
import {cut, padEnd, widthOf} from './text.js'

/**
 * The terminal's own sixteen colours, never white, black or a background, so that light and dark themes both work.
 *
 * @see ovg-project/kvcached:kvcached/cli/kvtop.py — headings bold cyan, reserve yellow, hints dim
 */
const SGR: Readonly<Record<Tone, string>> = {
  title: '1;36',
  strong: '1',
  dim: '2',
  good: '32',
  warn: '33',
  bad: '31',
  reserve: '33',
  accent: '36',
}

/** A line as text, no wider than `columns`; with SGR sequences where there is colour. */
export function paint(line: Line, columns: number, hasColor: boolean, ellipsis: string): string {
  const spans = fit(line.spans, columns, ellipsis)
  if (!hasColor)
    return spans
      .map(({text}) => text)
      .join('')
      .trimEnd()
  if (line.isSelected === true) {
    return `\u001B[7m${padEnd(spans.map(({text}) => text).join(''), columns)}\u001B[0m`
  }
  return spans
    .map(({text, tone}) => (tone === undefined ? text : `\u001B[${SGR[tone]}m${text}\u001B[0m`))
    .join('')
}

function fit(spans: readonly Span[], columns: number, ellipsis: string): Span[] {
  const kept: Span[] = []
  let room = columns
  for (const span of spans) {
    const width = widthOf(span.text)
    if (width <= room) kept.push(span)
    else if (room > 0) kept.push({...span, text: cut(span.text, room, ellipsis)})
    room -= width
    if (room < 0) break
  }
  return kept
}
