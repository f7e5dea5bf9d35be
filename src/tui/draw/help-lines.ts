import {KEYS, type KeyName} from '../state/keys.js'
import {BLANK, line, span, type Line} from './line.js'
import {padEnd} from './text.js'

const NAMES: Readonly<Record<string, string>> = {
  ...{up: 'Up', down: 'Down', pageup: 'PgUp', pagedown: 'PgDn', home: 'Home', end: 'End', tab: 'Tab'},
  ...{enter: 'Enter', escape: 'Esc', space: 'Space', 'shift-tab': 'Shift-Tab'},
}

export function keyLabel(key: KeyName): string {
  return NAMES[key] ?? key.replace(/^ctrl-(.)/, (_, letter: string) => `Ctrl-${letter.toUpperCase()}`)
}

const LABEL_COLUMNS = 13
const MEANING_COLUMNS = 58

/**
 * The key table, in two columns where there is room; what does not fit is counted.
 *
 * @param from lines that were scrolled away
 */
export function helpLines(columns: number, rows: number, from: number): Line[] {
  const entries = KEYS.map(({keys, does}) => ({label: keys.map(keyLabel).join(' '), does}))
  const width = LABEL_COLUMNS + MEANING_COLUMNS
  const perLine = Math.max(1, Math.floor(columns / width))
  const height = Math.ceil(entries.length / perLine)
  const lines = Array.from({length: height}, (_, at) => {
    const parts = Array.from({length: perLine}, (_, part) => entries[at + part * height])
    return line(
      ...parts.flatMap(entry =>
        entry === undefined
          ? []
          : [
              span(` ${padEnd(entry.label, LABEL_COLUMNS)}`, 'strong'),
              span(padEnd(entry.does, MEANING_COLUMNS - 1)),
            ],
      ),
    )
  })
  const all = [
    line(span('Keys', 'title')),
    ...lines,
    BLANK,
    line(span(' click, wheel', 'strong'), span(' select, sort, change the view, scroll')),
  ]
  if (all.length <= rows) return all
  const first = Math.min(from, all.length - rows + 1)
  const shown = all.slice(first, first + Math.max(0, rows - 1))
  const rest = all.length - first - shown.length
  return [...shown, rest > 0 ? line(span(` +${rest} more`, 'dim'), span('  Down shows them', 'dim')) : BLANK]
}
