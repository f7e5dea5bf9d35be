import {ConfigurationError, type Random} from '../foundation/index.js'

/** Draws one length in tokens, at least 1. */
export type DrawLength = (random: Random) => number

const SHAPES: Readonly<Record<string, {least: number; make: (numbers: readonly number[]) => DrawLength}>> = {
  fixed: {
    least: 1,
    make:
      ([length]) =>
      () =>
        length!,
  },
  uniform: {
    least: 2,
    make:
      ([from, to]) =>
      random =>
        random.integer(Math.ceil(from!), Math.floor(to!)),
  },
  normal: {
    least: 2,
    make:
      ([mean, deviation, least = 1, most = Infinity]) =>
      random =>
        within(random.normal(mean!, deviation!), least, most),
  },
  lognormal: {
    least: 2,
    make: ([mean, deviation, least = 1, most = Infinity]) => {
      // Mean and deviation are those of the lengths, not of their logarithms.
      const variance = Math.log(1 + (deviation! / mean!) ** 2)
      const mu = Math.log(mean!) - variance / 2
      return random => within(Math.exp(random.normal(mu, Math.sqrt(variance))), least, most)
    },
  },
  zipf: {least: 3, make: ([exponent, from, to]) => zipf(exponent!, from!, to!)},
}
const NAMES: Readonly<Record<string, string>> = {n: 'normal', u: 'uniform'}

/**
 * A distribution of lengths: `512`, `256:1024` (uniform), `N(480,240)`, `uniform(a,b)`, `normal(mean,sd[,min,max])`,
 * `lognormal(mean,sd[,min,max])`, `zipf(s,min,max)`, or `choice(3:128,1:2048)` with a weight before each length.
 *
 * @throws ConfigurationError `LENGTHS_INVALID`
 */
export function parseLengths(text: string): DrawLength {
  const spec = text.trim().toLowerCase()
  if (/^\d+$/.test(spec)) return checked(text, 'fixed', [Number(spec)])
  const range = /^(\d+):(\d+)$/.exec(spec)
  if (range) return checked(text, 'uniform', [Number(range[1]), Number(range[2])])
  const call = /^([a-z]+)\((.+)\)$/.exec(spec)
  if (!call) throw invalid(text)
  const name = NAMES[call[1]!] ?? call[1]!
  const fields = call[2]!.split(',')
  if (name === 'choice') return choice(text, fields)
  return checked(text, name, fields.map(Number))
}

function checked(text: string, name: string, numbers: readonly number[]): DrawLength {
  const shape = SHAPES[name]
  const isSound =
    shape !== undefined &&
    numbers.length >= shape.least &&
    numbers.length <= 4 &&
    numbers.every(value => Number.isFinite(value) && value >= 0) &&
    numbers[0]! > 0
  if (!isSound) throw invalid(text)
  const [from, to] = name === 'uniform' ? numbers : numbers.slice(name === 'zipf' ? 1 : 2)
  if (from !== undefined && to !== undefined && from > to) throw invalid(text)
  const draw = shape.make(numbers)
  return random => Math.max(1, Math.round(draw(random)))
}

function choice(text: string, fields: readonly string[]): DrawLength {
  const pairs = fields.map(field => field.split(':').map(Number))
  if (!pairs.every(([weight, length, ...rest]) => rest.length === 0 && weight! > 0 && length! >= 1))
    throw invalid(text)
  const total = pairs.reduce((sum, [weight]) => sum + weight!, 0)
  return random => {
    let left = random.unit() * total
    for (const [weight, length] of pairs) if ((left -= weight!) < 0) return Math.round(length!)
    return Math.round(pairs.at(-1)![1]!)
  }
}

function within(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}

/** Length `from + k − 1` with a probability proportional to k^−s. */
function zipf(exponent: number, from: number, to: number): DrawLength {
  const sums = new Float64Array(Math.max(1, Math.floor(to) - Math.ceil(from) + 1))
  let sum = 0
  for (let rank = 1; rank <= sums.length; rank++) sums[rank - 1] = sum += rank ** -exponent
  return random => {
    const at = random.unit() * sum
    let [low, high] = [0, sums.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! > at) high = middle
      else low = middle + 1
    }
    return Math.ceil(from) + low
  }
}

function invalid(text: string): ConfigurationError {
  return new ConfigurationError('LENGTHS_INVALID', `'${text}' is no distribution of lengths`, {
    suggestions: [
      '512',
      '256:1024',
      'N(480,240)',
      'lognormal(512,400,16,4096)',
      'zipf(1.2,16,2048)',
      'choice(3:128,1:2048)',
    ],
  })
}
