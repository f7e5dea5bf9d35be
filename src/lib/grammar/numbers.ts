import {invalid} from './grammar.js'
import type {NumberSet} from './node.js'

export interface NumberBounds {
  readonly minimum: number
  readonly maximum: number
  /** −Infinity and Infinity are no bounds, here too. */
  readonly above: number
  readonly below: number
  readonly multipleOf: number | null
  readonly isInteger: boolean
}

/** Where one side is open: so many steps from the other. */
const SPAN_STEPS = 1000
const FINEST = 12

/**
 * Numbers within bounds: integers, else hundredths, else the coarsest decimals that lie between the bounds.
 *
 * @throws ConfigurationError when there is none, or only beyond what a double can count
 */
export function numbersWithin(bounds: NumberBounds): NumberSet {
  const {isInteger, multipleOf} = bounds
  if (isInteger && multipleOf !== null && !Number.isInteger(multipleOf)) {
    throw invalid(`multipleOf ${multipleOf} of an integer is not supported`)
  }
  if (multipleOf !== null) return multiples(bounds, multipleOf) ?? refuse(bounds)
  if (isInteger) return multiples(bounds, 1) ?? refuse(bounds)
  for (let decimals = 2; decimals <= FINEST; decimals++) {
    const set = multiples(bounds, 10 ** -decimals)
    if (set) return set
  }
  const {minimum, maximum, above, below} = bounds
  if (minimum <= maximum && minimum > above && minimum < below) return {count: 1, at: () => String(minimum)}
  return refuse(bounds)
}

function refuse({minimum, maximum, above, below}: NumberBounds): never {
  const low = above >= minimum ? `above ${above}` : `from ${minimum}`
  const high = below <= maximum ? `below ${below}` : `to ${maximum}`
  throw invalid(`there is no such number ${low} ${high}`)
}

function multiples(bounds: NumberBounds, step: number): NumberSet | null {
  const {minimum, maximum, above, below} = bounds
  const decimals = decimalsOf(step)
  const value = (index: number): number => Number((index * step).toFixed(decimals))
  const isWithin = (index: number): boolean => {
    const number = value(index)
    return number >= minimum && number > above && number <= maximum && number < below
  }
  const low = Math.max(minimum, above)
  const high = Math.min(maximum, below)
  let first = Math.floor(low / step)
  let last = Math.ceil(high / step)
  if (low === -Infinity) first = high === Infinity ? 0 : last - SPAN_STEPS
  if (high === Infinity) last = first + SPAN_STEPS
  // A division may be off by one, and an open end excludes one more.
  for (let tries = 0; tries < 3 && !isWithin(first); tries++) first++
  for (let tries = 0; tries < 3 && !isWithin(last); tries++) last--
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || !Number.isSafeInteger(last - first))
    return null
  if (last < first || !isWithin(first) || !isWithin(last)) return null
  return {count: last - first + 1, at: index => String(value(first + index))}
}

function decimalsOf(step: number): number {
  const [digits, exponent] = String(step).split('e')
  const point = digits!.indexOf('.')
  const fraction = point < 0 ? 0 : digits!.length - point - 1
  return Math.min(100, Math.max(0, fraction - Number(exponent ?? 0)))
}
