import type {Column} from '../draw/columns.js'
import type {Glyphs} from '../draw/glyphs.js'
import {span, type Span, type Tone} from '../draw/line.js'
import {cut, printable} from '../draw/text.js'
import type {SegmentAddress} from '../state/action.js'

export type TableId = 'segments' | 'gpus' | 'processes'

/** What stands in a row under a column. */
export interface Cell {
  /** What rows are sorted by; null sorts last. */
  readonly sort: number | string | null
  /** Of a text column: the whole of it, which its column may grow to. */
  readonly text?: string
  readonly draw: (width: number, glyphs: Glyphs) => readonly Span[]
}

export interface Row {
  /** The same thing has the same key in the next look. */
  readonly key: string
  readonly cells: Readonly<Record<string, Cell>>
  /** What the filter looks through. */
  readonly words: string
  /** Everything that is known, for the details pane. */
  readonly details: readonly (readonly [label: string, value: string])[]
  /** The segment that can be acted on. */
  readonly segment: SegmentAddress | null
}

/** A table before it is filtered, sorted and laid out. */
export interface Table {
  readonly id: TableId
  /** What stands above it, and on its tab. */
  readonly title: string
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
  /** Why there are no rows; for people. */
  readonly emptyBecause: string
}

/** Beside what is shown of several machines. */
export const HOST_COLUMN: Column = {
  id: 'host',
  title: 'Host',
  align: 'left',
  minColumns: 10,
  maxColumns: 24,
  isText: true,
  rank: 2.5,
}

export function textCell(text: string | null, tone?: Tone): Cell {
  const shown = printable(text ?? '-')
  return {
    sort: text?.toLowerCase() ?? null,
    text: shown,
    draw: (width, {ellipsis}) => [span(cut(shown, width, ellipsis), text === null ? 'dim' : tone)],
  }
}

export function numberCell(
  value: number | null,
  format: (value: number | null) => string,
  tone?: Tone,
): Cell {
  return {
    sort: value,
    draw: (width, {ellipsis}) => [span(cut(format(value), width, ellipsis), value === null ? 'dim' : tone)],
  }
}
