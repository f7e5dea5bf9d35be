import {ConfigurationError} from './errors.js'

const KIB = 1024n
const UNITS: readonly (readonly [RegExp, bigint])[] = [
  [/^(?:b)$/, 1n],
  [/^(?:k|kb|kib)$/, KIB],
  [/^(?:m|mb|mib)$/, KIB ** 2n],
  [/^(?:g|gb|gib)$/, KIB ** 3n],
  [/^(?:t|tb|tib)$/, KIB ** 4n],
]
const MAX_BYTES = 2n ** 63n - 1n

/**
 * Reads a size as kvcached's CLI does (powers of 1024, `,` and `_` ignored, any case, fractions truncated), and also
 * `T`, `KiB`…`TiB`. Unlike upstream it refuses a bare suffix, and unless `leastBytes` says otherwise zero and negative
 * values, whose only effect is to hide a segment from its engine.
 *
 * @returns bytes, `leastBytes` … 2^63−1; exact, since values above 2^53 are legal in a segment
 * @throws ConfigurationError `SIZE_INVALID`
 * @see ovg-project/kvcached:kvcached/cli/utils.py — the same grammar
 */
export function parseSize(text: string, leastBytes = 1n): bigint {
  const plain = text.trim().toLowerCase().replaceAll(/[,_]/g, '')
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-z]*)$/.exec(plain)
  const [, digits, suffix] = match ?? []
  const factor = suffix === '' ? 1n : UNITS.find(([spelling]) => spelling.test(suffix ?? ''))?.[1]
  if (digits === undefined || factor === undefined) throw invalid(text, 'is not a size')
  const bytes = /^[+-]?\d+$/.test(digits) ? BigInt(digits) * factor : scaled(text, digits, factor)
  if (bytes < leastBytes) throw invalid(text, 'is not a positive size')
  if (bytes > MAX_BYTES) throw invalid(text, 'is larger than a segment can record')
  return bytes
}

function scaled(text: string, digits: string, factor: bigint): bigint {
  const value = Math.trunc(Number(digits) * Number(factor))
  if (!Number.isFinite(value)) throw invalid(text, 'is larger than a segment can record')
  return BigInt(value)
}

function invalid(text: string, why: string): ConfigurationError {
  return new ConfigurationError('SIZE_INVALID', `'${text}' ${why}`, {
    suggestions: ['write a number of bytes, or a number with K, M, G or T, such as 512M, 2G or 1.5GiB'],
  })
}

/**
 * Writes bytes as kvcached does: two decimals, one space, `B KB MB GB TB`, powers of 1024; negatives stay in bytes.
 *
 * @see ovg-project/kvcached:kvcached/cli/utils.py — `1048575` is `1024.00 KB`
 */
export function formatSize(bytes: number | bigint): string {
  let value = Number(bytes)
  let unit = 0
  const names = ['B', 'KB', 'MB', 'GB', 'TB'] as const
  while (value >= 1024 && unit < names.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toFixed(2)} ${names[unit]!}`
}
