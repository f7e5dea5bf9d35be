import {ConfigurationError} from '../foundation/index.js'

/**
 * Reads `50`, `12.5` or `12.5%`.
 *
 * @returns above 0, at most 100
 * @throws ConfigurationError `PERCENT_INVALID`
 */
export function parsePercent(text: string): number {
  const percent = /^\s*(\d+\.?\d*|\.\d+)\s*%?\s*$/.exec(text)?.[1]
  const value = Number(percent)
  if (value > 0 && value <= 100) return value
  throw new ConfigurationError('PERCENT_INVALID', `'${text}' is not a percentage above 0 and at most 100`)
}

/**
 * floor(total × percent / 100) bytes.
 *
 * @see ovg-project/kvcached:kvcached/cli/kvctl.py — limit-percent truncates the same way
 */
export function shareOf(totalBytes: bigint, percent: number): bigint {
  return BigInt(Math.trunc((Number(totalBytes) * percent) / 100))
}
