import {readFileSync} from 'node:fs'
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
 * `lognormal(mean,sd[,min,max])`, `zipf(s,min,max)`, `choice(3:128,1:2048)` with a weight before each length, or
 * `empirical(FILE)`, whose numbers are drawn from with equal chances.
 *
 * @throws ConfigurationError `LENGTHS_INVALID`
 */
export function parseLengths(text: string): DrawLength {
  const file = /^empirical\((.+)\)$/i.exec(text.trim())
  if (file) return empirical(file[1]!)
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

function empirical(path: string): DrawLength {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigurationError('LENGTHS_INVALID', `${path} cannot be read`, {cause: error})
  }
  const lengths = text.split(/[\s,[\]]+/).flatMap(field => (field === '' ? [] : [Number(field)]))
  if (lengths.length === 0 || !lengths.every(length => Number.isInteger(length) && length > 0)) {
    throw new ConfigurationError('LENGTHS_INVALID', `${path} holds something else than lengths`, {
      suggestions: ['whole numbers of tokens, apart by blanks, commas or lines'],
    })
  }
  return random => lengths[random.integer(0, lengths.length - 1)]!
}

/** Draws the lengths of a prompt and of its answer together. */
export type DrawLengths = (random: Random) => readonly [input: number, output: number]

/**
 * Pairs of lengths with a weight each: `256,128:60;512,256:40`, each length with a standard deviation where it has one:
 * `256|10,128|5:60`. Without weights all pairs are as likely.
 *
 * @throws ConfigurationError `LENGTHS_INVALID`
 * @see ai-dynamo/aiperf:docs — `--sequence-distribution`
 */
export function parseLengthPairs(text: string): DrawLengths {
  const pairs = text.split(';').map(part => {
    const match = /^(\d+)(?:\|(\d+))?,(\d+)(?:\|(\d+))?(?::(\d+(?:\.\d+)?))?$/.exec(part.trim())
    const fields: readonly (string | undefined)[] = match?.slice(1) ?? []
    const [input = 0, inputSd = 0, output = 0, outputSd = 0, weight = 1] = fields.map(
      field => field && Number(field),
    ) as (number | undefined)[]
    if (match === null || input < 1 || output < 1 || weight <= 0) {
      throw new ConfigurationError('LENGTHS_INVALID', `'${part}' is no pair of lengths`, {
        suggestions: ['256,128:60;512,256:40', '256|10,128|5'],
      })
    }
    const around = (mean: number, deviation: number, random: Random): number =>
      deviation === 0 ? mean : Math.max(1, Math.round(random.normal(mean, deviation)))
    return {
      weight,
      draw: (random: Random) => [around(input, inputSd, random), around(output, outputSd, random)] as const,
    }
  })
  const total = pairs.reduce((sum, {weight}) => sum + weight, 0)
  return random => {
    let left = random.unit() * total
    return (pairs.find(({weight}) => (left -= weight) < 0) ?? pairs.at(-1)!).draw(random)
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
      'empirical(lengths.txt)',
    ],
  })
}
