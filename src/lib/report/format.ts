import {formatSize} from '../foundation/index.js'

/** Shown where a value is unknown. */
export const UNKNOWN = '–'

/**
 * A number with three significant digits and thousands in groups: 0.0421, 12.3, 123, 1 234.
 *
 * @returns `–` for `null`
 */
export function formatNumber(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN
  const magnitude = Math.abs(value)
  if (magnitude !== 0 && magnitude < 1e-4) return value.toExponential(2)
  const decimals =
    magnitude === 0 || magnitude >= 99.95 ? 0 : Math.min(6, 2 - Math.floor(Math.log10(magnitude * 1.0005)))
  return group(Number.isInteger(value) ? String(value) : value.toFixed(Math.max(0, decimals)))
}

/** A whole number in groups of three: 100 000. */
export function formatCount(value: number | null): string {
  return value === null ? UNKNOWN : group(String(Math.round(value)))
}

/** Milliseconds in the unit a person would use: 420 µs, 12.3 ms, 1.23 s, 2 min 5 s. */
export function formatMs(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return UNKNOWN
  const magnitude = Math.abs(ms)
  if (magnitude === 0) return '0 ms'
  if (magnitude < 0.9995) return `${formatNumber(ms * 1000)}\u00a0µs`
  if (magnitude < 999.5) return `${formatNumber(ms)}\u00a0ms`
  if (magnitude < 59_950) return `${formatNumber(ms / 1000)}\u00a0s`
  const seconds = Math.round(ms / 1000)
  return `${formatCount(Math.floor(seconds / 60))}\u00a0min ${seconds % 60}\u00a0s`
}

/** Two durations with a dash between, the unit once where both have the same: 81.7–85.1 ms. */
export function formatMsRange(lowMs: number, highMs: number): string {
  const [low, high] = [formatMs(lowMs), formatMs(highMs)]
  const unit = /\u00a0\D+$/.exec(high)?.[0]
  return `${unit !== undefined && low.endsWith(unit) ? low.slice(0, -unit.length) : low}–${high}`
}

/** The same for an axis: 20 ms, not 20.0 ms. */
export function formatMsTick(ms: number): string {
  return formatMs(ms)
    .replace(/(\.\d*?)0+(?=\D)/, '$1')
    .replace(/\.(?=\D)/, '')
}

/** A ratio of 0 to 1 as a percentage; 1 − 1/100 000 does not round up to 100 %. */
export function formatPercent(ratio: number | null): string {
  if (ratio === null || !Number.isFinite(ratio)) return UNKNOWN
  const percent = ratio * 100
  for (const decimals of [0, 1, 2, 3, 4]) {
    const text = percent.toFixed(decimals)
    const isWhole = Number(text) === percent
    const isHonest = (Number(text) === 100) === (ratio === 1) && (Number(text) === 0) === (ratio === 0)
    if (isHonest && (isWhole || decimals > 0)) return `${text}\u00a0%`
  }
  return `${percent.toPrecision(3)}\u00a0%`
}

/** Bytes in powers of 1024, as `kvctl list` prints them but without trailing zeros. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return UNKNOWN
  return formatSize(bytes)
    .replace(/\.00|(\.\d)0(?= )/, '$1')
    .replace(' ', '\u00a0')
}

function group(digits: string): string {
  const [whole, fraction] = digits.split('.')
  const grouped = whole!.replace(/\B(?=(\d{3})+$)/g, '\u202f')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}
