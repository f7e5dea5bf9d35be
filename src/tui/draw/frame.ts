import {formatDurationMs} from '../../lib/foundation/index.js'
import {arrangeTables, focusedTable, type ArrangedTable} from '../state/arrange.js'
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
  const head = [drawTitle(state, size.columns, facts), tabs.line, ...drawTroubles(state)]
  const foot = drawFoot(state, size.columns, glyphs)
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
function drawTroubles({look}: KvtopState): Line[] {
  return (look?.hosts ?? []).flatMap(({host, trouble, takenAtMs}) => {
    if (trouble === null) return []
    const age = formatDurationMs(Math.max(0, look!.takenAtMs - takenAtMs))
    return [line(span(`${printable(host)} is ${age} old: ${printable(trouble)}`, 'bad'))]
  })
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
    return {id, long: `${at + 1} ${title}${number}`, short: `${at + 1} ${short}${number}`}
  })
  const isRoomy = labels.reduce((sum, {long}) => sum + long.length + 3, 0) <= columns
  const spans: Span[] = []
  const hits: Hit[] = []
  let at = 0
  for (const {id, long, short} of labels) {
    const label = isRoomy ? long : short
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
  if (state.dialog?.kind === 'help') return {lines: helpLines(columns, rows), hits: []}
  const focused = focusedTable(state, tables)
  const details = state.hasDetails ? drawDetails(focused, columns, Math.floor(rows / 2), glyphs) : []
  const shown = state.view === 'overview' ? tables : [focused]
  const room = rows - details.length
  const wanted = shown.map(wantedLines)
  const spare = room - wanted.reduce((sum, lines) => sum + lines, 0)
  const gap = spare >= shown.length - 1 ? 1 : 0
  const given = Number.isFinite(room)
    ? shareLines(wanted, room - gap * (shown.length - 1), LEAST_LINES)
    : wanted
  const lines: Line[] = []
  const hits: Hit[] = []
  for (const [at, table] of shown.entries()) {
    if (at > 0 && gap > 0) lines.push(BLANK)
    const drawn = drawTable(table, columns, given[at]!, glyphs, table === focused)
    for (const [row, spots] of drawn.spots.entries()) {
      hits.push(...spots.map(spot => hitOf(table, spot, lines.length + row, columns)))
    }
    lines.push(...drawn.lines)
  }
  const filler = Number.isFinite(room) ? Array<Line>(Math.max(0, room - lines.length)).fill(BLANK) : []
  return {lines: [...lines, ...filler, ...details], hits}
}

function hitOf({id}: ArrangedTable, spot: TableSpot, row: number, columns: number): Hit {
  if (spot.kind === 'row') {
    return {row, from: 0, to: columns, event: {kind: 'select', table: id, key: spot.key}}
  }
  return {row, from: spot.from, to: spot.to, event: {kind: 'sort', table: id, column: spot.column}}
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
