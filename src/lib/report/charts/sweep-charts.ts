import {niceTicks} from '../axis.js'
import {formatMs, formatMsTick, formatNumber} from '../format.js'
import type {AbsentChart, Chart} from './chart.js'
import {dots, line, TIME_GRID, xAxis, yAxis, type Point} from './parts.js'

/** One combination of a sweep, or one value of a search. */
export interface SweepDot {
  readonly name: string
  readonly throughputRps: number | null
  readonly p95Ms: number | null
  readonly ttftP95Ms: number | null
  /** False when goals were missed. */
  readonly isGood: boolean
}

/**
 * How latency grows with throughput: the picture in which a knee is seen.
 *
 * @param isOneCurve the dots are values of one setting: only then does a line between them mean something
 */
export function throughputLatencyChart(
  points: readonly SweepDot[],
  isOneCurve: boolean,
): Chart | AbsentChart {
  const identity = {id: 'throughput-latency', title: 'Latency against throughput'}
  const known = points.filter(one => one.throughputRps !== null && one.p95Ms !== null)
  if (known.length === 0)
    return {...identity, reason: 'No run of this sweep has both throughput and latency.'}
  const sorted = [...known].sort((one, other) => one.throughputRps! - other.throughputRps!)
  const of = (value: (one: SweepDot) => number | null, wanted = sorted): Point[] =>
    wanted.map(one => [one.throughputRps!, value(one)])
  const [whole, first] = [of(one => one.p95Ms), of(one => one.ttftP95Ms)]
  const highest = Math.max(...sorted.flatMap(one => [one.p95Ms!, one.ttftP95Ms ?? 0]))
  const fastest = sorted.at(-1)!
  const missed = sorted.filter(({isGood}) => !isGood)
  const xTicks = niceTicks(0, fastest.throughputRps!, 6)
  return {
    ...identity,
    reading: `The highest throughput, ${formatNumber(fastest.throughputRps)} requests per second, came with a p95 latency of ${formatMs(fastest.p95Ms)} (${fastest.name}).`,
    legend: [
      {role: 'first', shape: isOneCurve ? 'line' : 'dot', label: 'p95 of the whole answer'},
      {role: 'second', shape: isOneCurve ? 'dash' : 'dot', label: 'p95 of the first token'},
      ...(missed.length === 0 ? [] : [{role: 'bad', shape: 'dot', label: 'misses a goal'} as const]),
    ],
    note: 'Requests per second to the right, milliseconds upwards; each dot is one combination, the mean of its repetitions.',
    description: sorted
      .map(one => `${one.name}: ${formatNumber(one.throughputRps)} requests/s, p95 ${formatMs(one.p95Ms)}.`)
      .join(' '),
    stretch: 1.2,
    draw: () => ({
      grid: TIME_GRID,
      xAxis: xAxis(xTicks, formatNumber, xTicks.at(-1)!),
      yAxis: yAxis(niceTicks(0, highest, 5), formatMsTick),
      series: [
        ...(isOneCurve ? [line('first', whole), line('second', first, {dash: 'dash'})] : []),
        dots('first', whole, 1),
        dots('second', first, 1),
        ...(missed.length === 0
          ? []
          : [
              dots(
                'bad',
                of(one => one.p95Ms, missed),
                1,
              ),
            ]),
      ],
    }),
  }
}
