import {uniformFloat64} from 'pure-rand/distribution/uniformFloat64'
import {uniformInt} from 'pure-rand/distribution/uniformInt'
import {xoroshiro128plus} from 'pure-rand/generator/xoroshiro128plus'

/** A seeded source of numbers: the same seed gives the same sequence on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  unit(): number
  /** Uniform integer in [from, to], both included. */
  integer(from: number, to: number): number
  /** Exponential with the given mean. */
  exponential(mean: number): number
  /** Normal (Box–Muller). */
  normal(mean: number, deviation: number): number
}

/** @param seed any integer; only its low 32 bits count */
export function seededRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed | 0)
  const unit = (): number => uniformFloat64(generator)
  return {
    unit,
    integer: (from, to) => uniformInt(generator, from, to),
    exponential: mean => -mean * Math.log(1 - unit()),
    normal: (mean, deviation) =>
      mean + deviation * Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit()),
  }
}
