import type {ArrangedTable} from '../state/arrange.js'
import type {Row} from '../tables/table.js'
import {placeColumns, type Column, type PlacedColumn} from './columns.js'
import type {Glyphs} from './glyphs.js'
import {line, span, type Line, type Span} from './line.js'
import {cut, padEnd, padStart, widthOf} from './text.js'

/** Where in a table a pointer can be. */
export type TableSpot =
  | {readonly kind: 'row'; readonly key: string}
  | {readonly kind: 'column'; readonly column: string; readonly from: number; readonly to: number}

export interface DrawnTable {
  readonly lines: readonly Line[]
  /** Spots by line. */
  readonly spots: readonly (readonly TableSpot[])[]
}

const GUTTER = 1

/**
 * Pure: a heading, the rows around the selected one, and how many more there are.
 *
 * @param rows lines that may be taken, heading included
 * @param isFocused whether the selected row is shown as such
 */
export function drawTable(
  table: ArrangedTable,
  columns: number,
  rows: number,
  glyphs: Glyphs,
  isFocused: boolean,
): DrawnTable {
  const placed = placeColumns(
    table.columns.map(column => measured(column, table.rows)),
    columns - GUTTER,
  )
  const heading = drawHeading(table, placed, glyphs, isFocused)
  if (table.rows.length === 0) {
    const why = table.totalRows > 0 ? `${table.totalRows} hidden by the filter` : table.emptyBecause
    const empty = line(span(padEnd('', GUTTER)), span(cut(why, columns - GUTTER, glyphs.ellipsis), 'dim'))
    return {lines: [heading.line, empty].slice(0, rows), spots: [heading.spots, []].slice(0, rows)}
  }
  const {from, to, more} = windowAround(table.selectedAt, table.rows.length, rows - 1)
  const shown = table.rows.slice(from, to)
  const body = shown.map((row, at) => {
    const isSelected = isFocused && from + at === table.selectedAt
    const spans = drawRow(row, placed, glyphs)
    return {spans: [span(isSelected ? glyphs.pointer : ' '), ...spans], isSelected}
  })
  const rest = table.rows.length - shown.length
  const tail = more ? [line(span(` +${rest} more`, 'dim'))] : []
  return {
    lines: [heading.line, ...body, ...tail].slice(0, rows),
    spots: [heading.spots, ...shown.map(({key}) => [{kind: 'row', key} as const]), []].slice(0, rows),
  }
}

/** Of all rows, so that nothing moves when they scroll. */
function measured(column: Column, rows: readonly Row[]): Column {
  if (column.isText !== true) return column
  const longest = Math.max(0, ...rows.map(({cell}) => widthOf(cell(column.id)?.text ?? '')))
  return {...column, maxColumns: Math.min(longest, column.maxColumns ?? longest)}
}

/** Lines that a table would like to have. */
export function wantedLines(table: ArrangedTable): number {
  return 1 + Math.max(1, table.rows.length)
}

/** Pure: which rows to show in `room` lines, the last of which tells how many more there are when not all fit. */
export function windowAround(
  selectedAt: number,
  count: number,
  room: number,
): {from: number; to: number; more: boolean} {
  if (count <= room) return {from: 0, to: count, more: false}
  const fits = Math.max(0, room - 1)
  const from = Math.min(Math.max(0, selectedAt - Math.floor(fits / 2)), count - fits)
  return {from, to: from + fits, more: true}
}

function drawHeading(
  table: ArrangedTable,
  placed: readonly PlacedColumn[],
  glyphs: Glyphs,
  isFocused: boolean,
): {line: Line; spots: TableSpot[]} {
  const spans: Span[] = [span(' '.repeat(GUTTER))]
  const spots: TableSpot[] = []
  let at = GUTTER
  for (const [index, column] of placed.entries()) {
    const isSorted = table.order.column === column.id
    const arrow = isSorted ? (table.order.isDescending ? glyphs.descending : glyphs.ascending) : ''
    const title = cut(`${column.title}${arrow}`, column.width, glyphs.ellipsis)
    const text = align(title, column)
    spans.push(span(index === 0 ? text : ` ${text}`, isFocused ? 'title' : 'accent'))
    const from = index === 0 ? at : at + 1
    spots.push({kind: 'column', column: column.id, from, to: from + column.width})
    at = from + column.width
  }
  return {line: {spans}, spots}
}

function drawRow(row: Row, placed: readonly PlacedColumn[], glyphs: Glyphs): Span[] {
  return placed.flatMap((column, index) => {
    const cell = row.cell(column.id)?.draw(column.width, glyphs) ?? []
    const width = cell.reduce((sum, {text}) => sum + widthOf(text), 0)
    const filler = span(' '.repeat(Math.max(0, column.width - width)))
    const gap = index === 0 ? [] : [span(' ')]
    return column.align === 'right' ? [...gap, filler, ...cell] : [...gap, ...cell, filler]
  })
}

function align(text: string, {align, width}: PlacedColumn): string {
  return align === 'right' ? padStart(text, width) : padEnd(text, width)
}
