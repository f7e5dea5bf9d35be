import {ConfigurationError} from './errors.js'

const SECONDS = {ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86_400} as const

/**
 * Reads a duration: a bare number is seconds; `250ms`, `1.5s`, `2m`, `1h30m` and so on add up.
 *
 * @returns milliseconds, ≥ 0
 * @throws ConfigurationError `DURATION_INVALID`
 */
export function parseDurationMs(text: string): number {
  const plain = text.trim().toLowerCase()
  if (/^(?:\d+\.?\d*|\.\d+)$/.test(plain)) return Number(plain) * 1000
  const parts = [...plain.matchAll(/(\d+\.?\d*|\.\d+)(ms|min|s|m|h|d)/g)]
  if (parts.length === 0 || parts.map(part => part[0]).join('') !== plain) {
    throw new ConfigurationError('DURATION_INVALID', `'${text}' is not a duration`, {
      suggestions: ['write seconds, or numbers with ms, s, m, h or d, such as 0.5, 250ms or 1h30m'],
    })
  }
  return parts.reduce(
    (sum, [, value, unit]) => sum + Number(value) * SECONDS[unit as keyof typeof SECONDS] * 1000,
    0,
  )
}

/** Writes a duration for people: `850 ms`, `12.3 s`, `4m 05s`, `1h 02m`. */
export function formatDurationMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)]
  const two = (value: number): string => String(value).padStart(2, '0')
  return hours > 0 ? `${hours}h ${two(minutes % 60)}m` : `${minutes}m ${two(seconds % 60)}s`
}
