import {formatDurationMs} from '../../lib/foundation/index.js'

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const

/** Three digits and a unit of 1024, at most seven columns: `792 MB`, `11.0 GB`, `1.50 TB`. Unknown is `-`. */
export function shortSize(bytes: number | null): string {
  if (bytes === null) return '-'
  if (Math.abs(bytes) < 1024) return `${bytes} B`
  let value = bytes
  let unit = 0
  // What would be written as 1024 belongs to the next unit.
  while (Math.abs(value) >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${threeDigits(value)} ${UNITS[unit]!}`
}

/** `29.4%`, `0.0%`; unknown is `-`. */
export function shortPercent(percent: number | null): string {
  if (percent === null) return '-'
  return `${percent.toFixed(percent < 999.95 ? 1 : 0)}%`
}

/** A count, whole; unknown is `-`. */
export function count(value: number | null): string {
  return value === null ? '-' : `${Math.round(value)}`
}

/** Three digits, without a unit; unknown is `-`. */
export function perSecond(value: number | null): string {
  return value === null ? '-' : value >= 1000 ? value.toFixed(0) : value === 0 ? '0' : threeDigits(value)
}

/** `412 ms`, `1.4 s`, `2m 05s`; unknown is `-`. */
export function shortMs(ms: number | null): string {
  return ms === null ? '-' : formatDurationMs(ms)
}

export function whole(value: number | null, unit: string): string {
  return value === null ? '-' : `${Math.round(value)}${unit}`
}

/** `12:03:44` of the machine that draws. */
export function clockTime(ms: number): string {
  const time = new Date(ms)
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map(part => `${part}`.padStart(2, '0'))
    .join(':')
}

function threeDigits(value: number): string {
  const size = Math.abs(value)
  if (size >= 99.95) return value.toFixed(0)
  return value.toFixed(size >= 9.995 ? 1 : 2)
}
