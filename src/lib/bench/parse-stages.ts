import {ConfigurationError, parseDurationMs} from '../foundation/index.js'
import type {Stage} from './arrivals.js'

/**
 * Rates and how long each lasts: `2:30s,10:1m`.
 *
 * @throws ConfigurationError `STAGES_INVALID`
 */
export function parseStages(text: string): Stage[] {
  return text.split(',').map(part => {
    const [rate = '', time = '', ...rest] = part.trim().split(':')
    const [ratePerSecond, ms] = [Number(rate), durationMs(time)]
    if (rest.length === 0 && rate !== '' && ratePerSecond > 0 && Number.isFinite(ratePerSecond) && ms > 0)
      return {ratePerSecond, seconds: ms / 1000}
    throw new ConfigurationError('STAGES_INVALID', `'${part}' is no rate and time of a stage`, {
      suggestions: ['2:30s,10:1m'],
    })
  })
}

function durationMs(text: string): number {
  try {
    return parseDurationMs(text)
  } catch {
    return 0
  }
}
