import {Args} from '@oclif/core'
import {ConfigurationError} from '../lib/foundation/index.js'

/** Made-up tokens from one number to another, apart or as LMCache's API has them: `0 1024` or `0,1024`. */
export const tokenRangeArgs = {
  start: Args.string({description: 'first token; or START,END', required: true}),
  end: Args.string({description: 'one behind the last token', ignoreStdin: true}),
}

/** @returns LMCache's `tokens_mock` @throws ConfigurationError `USAGE` */
export function tokensMockOf({start, end}: {start: string; end: string | undefined}): string {
  const text = end === undefined ? start : `${start},${end}`
  const [first, behind] = text.split(',').map(part => (/^\s*[+-]?\d+\s*$/.test(part) ? Number(part) : NaN))
  const isRange =
    first !== undefined && behind !== undefined && text.split(',').length === 2 && first < behind
  if (isRange) return `${first},${behind}`
  throw new ConfigurationError('USAGE', `'${text.replace(',', ' ')}' is no range of tokens`, {
    suggestions: ['two whole numbers, the first below the second, such as 0 1024'],
  })
}
