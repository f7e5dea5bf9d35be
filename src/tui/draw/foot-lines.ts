import {describeAction} from '../state/action.js'
import {KEYS} from '../state/keys.js'
import type {Dialog, KvtopState} from '../state/state.js'
import type {Row} from '../tables/table.js'
import type {Glyphs} from './glyphs.js'
import {keyLabel} from './help-lines.js'
import {line, span, type Line, type Span, type Tone} from './line.js'
import {printable, widthOf, wrap} from './text.js'

/**
 * Pure: the foot of the screen: a question, what is being done, what became of it, or the most important keys.
 *
 * @param selected the row that keys act on
 */
export function drawFoot(state: KvtopState, selected: Row | null, columns: number, glyphs: Glyphs): Line[] {
  const {dialog, action, message} = state
  const paragraph = (text: string, tone?: Tone): Line[] =>
    wrap(printable(text), columns, glyphs.ellipsis).map(part => line(span(part, tone)))
  if (dialog !== null && dialog.kind !== 'help') return drawDialog(dialog, state, paragraph, glyphs)
  if (action !== null) return paragraph(`${describeAction(action)}${glyphs.ellipsis}`, 'warn')
  if (message !== null) return paragraph(message.text, message.tone)
  return [drawKeys(state, selected, columns)]
}

function drawDialog(
  dialog: Exclude<Dialog, {kind: 'help'}>,
  {filter}: KvtopState,
  paragraph: (text: string, tone?: Tone) => Line[],
  {caret}: Glyphs,
): Line[] {
  switch (dialog.kind) {
    case 'filter':
      return [
        line(
          span('Filter: ', 'title'),
          span(printable(filter)),
          span(caret),
          span('  Enter keep  Esc drop', 'dim'),
        ),
      ]
    case 'limit':
      return [
        ...(dialog.problem === null ? [] : paragraph(dialog.problem, 'bad')),
        line(
          span('New limit: ', 'title'),
          span(printable(dialog.text)),
          span(caret),
          span('  such as 8G; restore; Esc drop', 'dim'),
        ),
      ]
    case 'confirm':
      return [
        ...paragraph(dialog.question, 'strong'),
        line(
          span('y', 'strong'),
          span(' do it   ', 'dim'),
          span('any other key', 'strong'),
          span(' leave it', 'dim'),
        ),
      ]
  }
}

function drawKeys({filter}: KvtopState, selected: Row | null, columns: number): Line {
  const spans: Span[] =
    filter === ''
      ? []
      : [span(`Filter: ${printable(filter)}  `, 'warn'), span('Esc', 'strong'), span(' drop  ', 'dim')]
  let room = columns - spans.reduce((sum, {text}) => sum + widthOf(text), 0)
  for (const {keys, short, on} of KEYS) {
    if (short === undefined || (on !== undefined && (selected?.[on] ?? null) === null)) continue
    const label = keyLabel(keys[0]!)
    const width = label.length + 1 + short.length + 2
    if (width > room) break
    spans.push(span(label, 'strong'), span(` ${short}  `, 'dim'))
    room -= width
  }
  return {spans}
}
