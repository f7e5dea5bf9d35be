/**
 * A worker's answer for people: a line for each key, aligned; lists in a line, objects with their keys behind dots.
 *
 * @returns lines without trailing newlines
 */
export function cacheLines(body: unknown): string[] {
  if (typeof body !== 'object' || body === null) return [String(body)]
  const rows = flat('', body).filter(([name]) => name !== 'status')
  const width = Math.max(0, ...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd())
}

function flat(prefix: string, value: unknown): [name: string, value: string][] {
  if (
    Array.isArray(value) &&
    value.some(item => typeof item === 'object' && item !== null && !Array.isArray(item))
  )
    return (value as unknown[]).flatMap((item, index) => flat(`${prefix}[${index}]`, item))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[prefix, shown(value)]]
  return Object.entries(value).flatMap(([name, inner]) =>
    flat(prefix === '' ? name : `${prefix}.${name}`, inner),
  )
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return 'N/A'
  if (Array.isArray(value))
    return value.length === 0
      ? 'none'
      : value.map(item => JSON.stringify(item).replaceAll('"', '')).join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
