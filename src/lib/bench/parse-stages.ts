import {ConfigurationError, parseDurationMs} from '../foundation/index.js'
import {isRateStage, type Stage} from './arrivals.js'

/**
 * Rates, or requests in flight with a `c` behind them, and how long each lasts: `2:30s,10:1m` or `4c:30s,16c:1m`.
 *
 * @throws ConfigurationError `STAGES_INVALID`
 */
export function parseStages(text: string): Stage[] {
  const stages = text.split(',').map(parseStage)
  const rates = stages.filter(isRateStage).length
  if (rates === 0 || rates === stages.length) return stages
  throw new ConfigurationError('STAGES_INVALID', `'${text}' mixes rates with requests in flight`, {
    suggestions: ['4c:30s,16c:1m', '2:30s,10:1m'],
  })
}

function parseStage(part: string): Stage {
  const [load = '', time = '', ...rest] = part.trim().split(':')
  const seconds = durationMs(time) / 1000
  if (rest.length === 0 && seconds > 0) {
    const slots = Number(/^(\d+)c$/.exec(load)?.[1] ?? 0)
    if (slots > 0) return {concurrency: slots, seconds}
    const rate = Number(load)
    if (load !== '' && rate > 0 && Number.isFinite(rate)) return {ratePerSecond: rate, seconds}
  }
  throw new ConfigurationError(
    'STAGES_INVALID',
    `'${part}' is no rate, or requests in flight, and time of a stage`,
    {
      suggestions: ['2:30s,10:1m', '4c:30s,16c:1m'],
    },
  )
}

function durationMs(text: string): number {
  try {
    return parseDurationMs(text)
  } catch {
    return 0
  }
}
