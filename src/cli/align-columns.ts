export type Align = 'left' | 'right'
export type Column = readonly [title: string, align: Align]

/** Rows below their titles, each column as wide as its widest cell; no blanks at the ends of lines. */
export function alignColumns(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const all = [columns.map(([title]) => title), ...rows]
  const widths = columns.map((_, column) => Math.max(...all.map(row => row[column]!.length)))
  return all.map(row =>
    row
      .map((cell, column) =>
        columns[column]![1] === 'left' ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  )
}
