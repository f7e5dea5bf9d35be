import {ConfigurationError, seededRandom} from '../foundation/index.js'

/** One thing that a sweep varies: a flag of the load, without its dashes, and the texts it takes. */
export interface Axis {
  readonly name: string
  readonly values: readonly string[]
}

/** A run of a grid: one value of each axis, and which time it is run with them. */
export interface GridPoint {
  readonly values: Readonly<Record<string, string>>
  /** 1-based. */
  readonly repetition: number
}

const MOST_POINTS = 10_000

/** Reads `concurrency=5,10,20`. @throws ConfigurationError `AXIS_INVALID` */
export function parseAxis(text: string): Axis {
  const [, name = '', list = ''] = /^([a-z][a-z-]*)=(.+)$/.exec(text.trim()) ?? []
  const values = list.split(',').map(value => value.trim())
  if (name === '' || values.includes('')) {
    throw new ConfigurationError('AXIS_INVALID', `--axis takes NAME=VALUE,VALUE…, not '${text}'`, {
      suggestions: ['--axis concurrency=5,10,20 --axis max-tokens=32,64,128'],
    })
  }
  if (new Set(values).size < values.length) {
    throw new ConfigurationError('AXIS_INVALID', `--axis ${name} names a value twice: ${list}`)
  }
  return {name, values}
}

/**
 * Every combination, each `repeat` times, in an order drawn from `seed`, so that what drifts while a sweep lasts (caches, heat,
 * neighbours) falls on no axis alone. Null keeps the order given, repetitions last.
 *
 * @throws ConfigurationError `AXIS_INVALID`
 */
export function gridPoints(axes: readonly Axis[], repeat: number, seed: number | null): GridPoint[] {
  const names = axes.map(({name}) => name)
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined) throw new ConfigurationError('AXIS_INVALID', `--axis ${twice} is given twice`)
  const count = axes.reduce((product, {values}) => product * values.length, repeat)
  if (count > MOST_POINTS) {
    throw new ConfigurationError('AXIS_INVALID', `the axes make ${count} runs, more than ${MOST_POINTS}`)
  }
  const combinations = axes.reduce<Record<string, string>[]>(
    (all, {name, values}) => all.flatMap(one => values.map(value => ({...one, [name]: value}))),
    [{}],
  )
  const points = Array.from({length: repeat}, (_, index) =>
    combinations.map(values => ({values, repetition: index + 1})),
  ).flat()
  return seed === null ? points : shuffled(points, seed)
}

/** Fisher and Yates. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  const random = seededRandom(seed)
  const mixed = [...list]
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = random.integer(0, last)
    ;[mixed[last], mixed[other]] = [mixed[other]!, mixed[last]!]
  }
  return mixed
}
