/** RFC 4180: a field with a comma, a quote or a line break stands in quotes, and its quotes are doubled; unknown is empty. */
export function csvField(cell: string | number | null): string {
  const text = cell === null ? '' : String(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
