import {formatDurationMs} from '../../lib/foundation/index.js'
import {arrangeTables, focusedTable, overviewTables, type ArrangedTable} from '../state/arrange.js'
import type {KvtopEvent} from '../state/reduce.js'
import {VIEWS, type KvtopState} from '../state/state.js'
import {clockTime} from './format.js'
import type {Glyphs} from './glyphs.js'
import {drawFoot} from './foot-lines.js'
import {helpLines} from './help-lines.js'
import {BLANK, line, span, type Line, type Span} from './line.js'
import {shareLines} from './share-lines.js'
import {drawTable, wantedLines, type TableSpot} from './table-lines.js'
import {cut, padEnd, printable, widthOf} from './text.js'

export interface ScreenSize {
  readonly columns: number
  readonly rows: number
}

/** What clicking into a part of the screen does. */
export interface Hit {
  readonly row: number
  readonly from: number
  readonly to: number
  readonly event: KvtopEvent
}

export interface Frame {
  readonly lines: readonly Line[]
  readonly hits: readonly Hit[]
}

/** Where the looks come from and how often. */
export interface FrameFacts {
  readonly intervalMs: number
  /** Such as `replay`; null for a plain run. */
  readonly note: string | null
}

/** A table of the overview keeps a heading and two rows, if there is any room. */
const LEAST_LINES = 3

/** Pure: the whole screen, exactly `rows` lines. With `rows` Infinity it is as high as what it shows. */
export function drawFrame(state: KvtopState, size: ScreenSize, glyphs: Glyphs, facts: FrameFacts): Frame {
  const tables = arrangeTables(state)
  const tabs = drawTabs(state, tables, size.columns, glyphs)
  const head = [drawTitle(state, size.columns, facts), tabs.line, ...drawTroubles(state, size.rows)]
  const focused = focusedTable(state, tables)
  const foot = drawFoot(state, focused.rows[focused.selectedAt] ?? null, size.columns, glyphs)
  const room = Math.max(0, size.rows - head.length - foot.length)
  const body = drawBody(state, tables, {...size, rows: room}, glyphs)
  const filler = Number.isFinite(room) ? Array<Line>(Math.max(0, room - body.lines.length)).fill(BLANK) : []
  const lines = [...head, ...body.lines.slice(0, room), ...filler, ...foot]
  return {
    lines: Number.isFinite(size.rows) ? lines.slice(0, size.rows) : lines,
    hits: [...tabs.hits, ...body.hits.map(hit => ({...hit, row: hit.row + head.length}))],
  }
}

function drawTitle({look, isPaused}: KvtopState, columns: number, {intervalMs, note}: FrameFacts): Line {
  const time = look === null ? 'Initializing… please wait' : clockTime(look.takenAtMs)
  const host = look?.hosts.length === 1 ? printable(look.hosts[0]!.host) : `${look?.hosts.length ?? 0} hosts`
  const parts = [
    ...(isPaused ? ['PAUSED'] : []),
    ...(note === null ? [] : [note]),
    ...(look === null ? [] : [host]),
    `every ${intervalMs / 1000}s`,
    time,
  ]
  const title = 'KVCache Memory Usage'
  // The least important goes first when there is no room.
  while (parts.length > 1 && widthOf(title) + 2 + widthOf(parts.join('  ')) > columns) {
    parts.splice(parts.length - 2, 1)
  }
  const right = parts.join('  ')
  const gap = Math.max(1, columns - widthOf(title) - widthOf(right))
  return line(span(title, 'title'), span(' '.repeat(gap)), span(right, isPaused ? 'warn' : 'dim'))
}

/** Which hosts did not answer, why, and how old their figures are. */
function drawTroubles({look}: KvtopState, rows: number): Line[] {
  const lines = (look?.hosts ?? []).flatMap(({host, trouble, takenAtMs}) => {
    if (trouble === null) return []
    const state =
      takenAtMs === null
        ? 'has not answered'
        : `is ${formatDurationMs(Math.max(0, look!.takenAtMs - takenAtMs))} old`
    // Which of its routes it was tells nobody anything.
    const why = trouble.startsWith(host) ? trouble.slice(host.length).replace(/^\/\S* /, '') : trouble
    return [line(span(`${printable(host)} ${state}: ${printable(why)}`, 'bad'))]
  })
  const room = Math.max(1, Math.floor(rows / 4))
  if (lines.length <= room) return lines
  return [...lines.slice(0, room - 1), line(span(`+${lines.length - room + 1} old hosts more`, 'bad'))]
}

function drawTabs(
  {view}: KvtopState,
  tables: readonly ArrangedTable[],
  columns: number,
  glyphs: Glyphs,
): {line: Line; hits: Hit[]} {
  const labels = VIEWS.map(({id, title, short}, at) => {
    const count = tables.find(table => table.id === id)?.totalRows
    const number = count === undefined ? '' : ` ${count}`
    const key = `${at + 1}`
    return {
      id,
      texts: [
        `${key} ${title}${number}`,
        `${key} ${short}${number}`,
        view === id ? `${key} ${title}${number}` : key,
      ],
    }
  })
  // The longest of these forms that fits.
  const form = [0, 1].find(at => labels.reduce((sum, {texts}) => sum + texts[at]!.length + 2, 0) <= columns)
  const spans: Span[] = []
  const hits: Hit[] = []
  let at = 0
  for (const {id, texts} of labels) {
    const label = texts[form ?? 2]!
    const text = view === id ? `[${label}]` : ` ${label} `
    spans.push(span(cut(text, columns - at, glyphs.ellipsis), view === id ? 'strong' : 'dim'))
    hits.push({row: 1, from: at, to: at + text.length, event: {kind: 'show', view: id}})
    at += text.length
  }
  return {line: {spans}, hits}
}

function drawBody(
  state: KvtopState,
  tables: readonly ArrangedTable[],
  {columns, rows}: ScreenSize,
  glyphs: Glyphs,
): Frame {
  if (state.dialog?.kind === 'help') return {lines: helpLines(columns, rows, state.dialog.from), hits: []}
  const focused = focusedTable(state, tables)
  const shown = state.view === 'overview' ? overviewTables(tables) : [focused]
  const details = state.hasDetails ? drawDetails(focused, columns, roomForDetails(shown, rows), glyphs) : []
  const room = rows - details.length
  const wanted = shown.map(wantedLines)
  const spare = room - wanted.reduce((sum, lines) => sum + lines, 0)
  const gap = spare >= shown.length - 1 ? 1 : 0
  const share = (lines: number): readonly number[] =>
    Number.isFinite(lines) ? shareLines(wanted, lines - gap * (shown.length - 1), LEAST_LINES) : wanted
  const isCrowded = share(room).includes(0)
  const given = isCrowded ? share(room - 1) : share(room)
  const lines: Line[] = []
  const hits: Hit[] = []
  for (const [at, table] of shown.entries()) {
    if (given[at] === 0) continue
    if (at > 0 && gap > 0) lines.push(BLANK)
    const drawn = drawTable(table, columns, given[at]!, glyphs, table === focused)
    for (const [row, spots] of drawn.spots.entries()) {
      hits.push(...spots.map(spot => hitOf(table, spot, lines.length + row, columns)))
    }
    lines.push(...drawn.lines)
  }
  if (isCrowded) lines.push(leftOut(shown.filter((_, at) => given[at] === 0)))
  const filler = Number.isFinite(room) ? Array<Line>(Math.max(0, room - lines.length)).fill(BLANK) : []
  return {lines: [...lines, ...filler, ...details], hits}
}

/** Tables of the overview for which there is no line. */
function leftOut(tables: readonly ArrangedTable[]): Line {
  const counts = tables.map(({rows, title}) => `+${rows.length} ${title}`)
  return line(span(` ${counts.join('  ')}`, 'dim'))
}

function hitOf({id}: ArrangedTable, spot: TableSpot, row: number, columns: number): Hit {
  if (spot.kind === 'row') {
    return {row, from: 0, to: columns, event: {kind: 'select', table: id, key: spot.key}}
  }
  return {row, from: spot.from, to: spot.to, event: {kind: 'sort', table: id, column: spot.column}}
}

/** Half of the screen, and what the tables leave; of a small one all but the selected row. */
function roomForDetails(tables: readonly ArrangedTable[], rows: number): number {
  const wanted = tables.reduce((sum, table) => sum + wantedLines(table), tables.length - 1)
  return Math.max(Math.floor(rows / 2), rows - wanted, rows < 12 ? rows - LEAST_LINES : 0)
}

const LABEL_COLUMNS = 15

function drawDetails(table: ArrangedTable, columns: number, rows: number, glyphs: Glyphs): Line[] {
  const row = table.rows[table.selectedAt]
  if (row === undefined || rows < 2) return []
  const entries = row.details.map(([label, value]) =>
    line(span(` ${padEnd(label, LABEL_COLUMNS)}`, 'accent'), span(printable(value))),
  )
  const room = rows - 1
  const fits = entries.length <= room ? entries : entries.slice(0, room - 1)
  const rest = entries.length - fits.length
  return [
    line(span(glyphs.rule.repeat(columns), 'dim')),
    ...fits,
    ...(rest > 0 ? [line(span(` +${rest} more`, 'dim'))] : []),
  ]
}
