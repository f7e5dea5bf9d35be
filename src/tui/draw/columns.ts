/** A column of a table. */
export interface Column {
  readonly id: string
  readonly title: string
  readonly align: 'left' | 'right'
  readonly minColumns: number
  /** What it may grow to where there is room; `minColumns` when absent. */
  readonly maxColumns?: number
  /** A text: it grows no further than its longest one, and before bars and histories do. */
  readonly isText?: boolean
  /** Lower is kept longer. Below {@link EXTRA_RANK} it is what a row is for. */
  readonly rank: number
}

export interface PlacedColumn extends Column {
  readonly width: number
}

const GAP = 1
/** From this rank on a column comes only after the texts before it can be read in full. */
const EXTRA_RANK = 4
/** What a text may take from columns of less importance. */
const READABLE_COLUMNS = 24

/**
 * Pure: the columns that fit into `room`, in their order, and how wide each is: the most important first, texts at a length
 * that can be read; then texts grow to their whole length; then bars and histories share what is left.
 */
export function placeColumns(columns: readonly Column[], room: number): PlacedColumn[] {
  const widths = new Map<Column, number>()
  let spare = room + GAP
  const widen = (column: Column, width: number): void => {
    const more = Math.min(width - widths.get(column)!, spare)
    widths.set(column, widths.get(column)! + more)
    spare -= more
  }
  const most = ({minColumns, maxColumns}: Column): number => Math.max(minColumns, maxColumns ?? minColumns)
  let isReadable = false
  for (const column of [...columns].sort((a, b) => a.rank - b.rank)) {
    if (column.rank >= EXTRA_RANK && !isReadable) {
      isReadable = true
      for (const text of widths.keys()) if (text.isText) widen(text, Math.min(most(text), READABLE_COLUMNS))
    }
    if (column.minColumns + GAP > spare) continue
    widths.set(column, column.minColumns)
    spare -= column.minColumns + GAP
    if (isReadable && column.isText) widen(column, Math.min(most(column), READABLE_COLUMNS))
  }
  for (const isText of [true, false]) {
    for (;;) {
      const growing = [...widths].filter(
        ([column, width]) => (column.isText ?? false) === isText && width < most(column),
      )
      if (growing.length === 0 || spare <= 0) break
      const share = Math.max(1, Math.floor(spare / growing.length))
      for (const [column, width] of growing) widen(column, Math.min(width + share, most(column)))
    }
  }
  return columns.flatMap(column => {
    const width = widths.get(column)
    return width === undefined ? [] : [{...column, width}]
  })
}
