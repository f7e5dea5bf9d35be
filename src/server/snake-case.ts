/** A document's keys as kvctl writes them in JSON: `usedBytes` becomes `used_bytes`, at every depth; values stay. */
export function snakeCaseKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCaseKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`),
      snakeCaseKeys(inner),
    ]),
  )
}
