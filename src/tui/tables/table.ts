import type {Column} from '../draw/columns.js'
import type {Glyphs} from '../draw/glyphs.js'
import {span, type Span, type Tone} from '../draw/line.js'
import {cut, printable} from '../draw/text.js'
import type {HostLook, MonitorLook} from '../../lib/monitor/index.js'
import type {SegmentAddress, SleeperAddress} from '../state/action.js'

export type TableId = 'segments' | 'gpus' | 'engines' | 'processes' | 'tiers' | 'models'

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
  /** What stands under a column, made when it is asked for; null where there is no such column. */
  readonly cell: (column: string) => Cell | null
  /** What the filter looks through. */
  readonly words: string
  /** Everything that is known, for the details pane. */
  readonly details: readonly (readonly [label: string, value: string])[]
  /** The segment that can be acted on. */
  readonly segment: SegmentAddress | null
  /** What can be put to sleep and woken. */
  readonly sleeper: SleeperAddress | null
}

/** Cells by column, where there are few rows. Of many rows few are shown, which make theirs when they are. */
export function cellOf(cells: Readonly<Record<string, Cell>>): Row['cell'] {
  return column => cells[column] ?? null
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
  /** Many machines have nothing of this kind: without rows the overview leaves it out. */
  readonly isExtra?: boolean
}

/** The segment of a name on a machine, as something to act on. */
export function segmentNamed({host, segments}: HostLook, name: string | null): SegmentAddress | null {
  const found = name === null ? undefined : segments.find(segment => segment.name === name)
  return found === undefined ? null : {...found, host}
}

/** Why a table has no rows: before any machine has answered nobody knows whether it has some. */
export function whyEmpty({hosts}: MonitorLook, otherwise: string): string {
  if (hosts.some(({takenAtMs}) => takenAtMs !== null)) return otherwise
  return hosts.some(({trouble}) => trouble !== null) ? 'unknown, as told above' : 'asking…'
}

/** Figures older than this are told with their age. */
const FRESH_MS = 3000

/** `, 12s old`, in whole seconds, where figures are no longer fresh. */
export function ageText(readAtMs: number | null, nowMs: number): string {
  const ageMs = readAtMs === null ? 0 : nowMs - readAtMs
  return ageMs > FRESH_MS ? `, ${Math.round(ageMs / 1000)}s old` : ''
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

/** Red while the machine does not answer. */
export function hostCell({host, trouble}: HostLook): Cell {
  return textCell(host, trouble === null ? undefined : 'bad')
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
