/**
 * Records of comma-separated text: cells may be quoted, a quote in one is doubled, a line end in one belongs to it. Records may
 * have different lengths; empty lines are left out.
 *
 * @see RFC 4180
 */
export function parseCsv(text: string): string[][] {
  const records: string[][] = []
  let record: string[] = []
  let cell = ''
  let isQuoted = false
  const endRecord = (): void => {
    record.push(cell)
    if (record.length > 1 || record[0] !== '') records.push(record)
    record = []
    cell = ''
  }
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (isQuoted) {
      if (char !== '"') cell += char
      else if (text[at + 1] === '"') cell += text[++at]!
      else isQuoted = false
    } else if (char === '"') {
      isQuoted = true
    } else if (char === ',') {
      record.push(cell)
      cell = ''
    } else if (char === '\n') {
      endRecord()
    } else if (char !== '\r') {
      cell += char
    }
  }
  if (cell !== '' || record.length > 0) endRecord()
  return records
}
