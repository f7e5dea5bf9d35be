/**
 * JSON whose bigints are numbers with all their digits (`JSON.stringify` throws on them, and a Number would round beyond
 * 2^53). Otherwise as `JSON.stringify(value, null, indent)`.
 *
 * @param indent spaces a level; 0 puts everything on one line
 */
export function stringifyExact(value: unknown, indent = 0): string {
  return write(value, indent, '\n') ?? 'null'
}

function write(value: unknown, indent: number, newline: string): string | undefined {
  if (typeof value === 'bigint') return String(value)
  const plain = hasToJson(value) ? value.toJSON() : value
  if (typeof plain !== 'object' || plain === null) return JSON.stringify(plain)
  const deeper = newline + ' '.repeat(indent)
  const [open, close] = Array.isArray(plain) ? '[]' : '{}'
  const parts = Array.isArray(plain)
    ? plain.map(item => write(item, indent, deeper) ?? 'null')
    : Object.entries(plain).flatMap(([key, item]) => {
        const text = write(item, indent, deeper)
        return text === undefined ? [] : [`${JSON.stringify(key)}:${indent > 0 ? ' ' : ''}${text}`]
      })
  if (parts.length === 0) return `${open}${close}`
  return indent > 0
    ? `${open}${deeper}${parts.join(`,${deeper}`)}${newline}${close}`
    : `${open}${parts.join(',')}${close}`
}

function hasToJson(value: unknown): value is {toJSON(): unknown} {
  return (
    typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function'
  )
}
