import {niceTicks} from '../axis.js'
import {formatCount, formatMs, formatMsTick, formatNumber} from '../format.js'
import type {ReportRequest} from '../report-data.js'
import type {Timeline, TimelineBin} from '../timeline.js'
import type {AbsentChart, Chart} from './chart.js'
import {dots, line, middles, steps, timeAxis, TIME_GRID, yAxis, type Point} from './parts.js'

const MOST_DOTS = 600

/** TTFT by the time of sending: every request as a dot while they can be told apart, else median and p95. */
export function ttftChart(requests: readonly ReportRequest[], timeline: Timeline): Chart | AbsentChart {
  const identity = {id: 'ttft-over-time', title: 'Time to first token'}
  const points = requests.flatMap(({ttftMs, sentMs}): Point[] =>
    ttftMs === null ? [] : [[sentMs / 1000, ttftMs]],
  )
  if (points.length === 0) {
    return {
      ...identity,
      reason: 'No request had a first token: nothing was streamed, or every request failed before one came.',
    }
  }
  const values = points.map(point => point[1] ?? 0)
  const median = line(
    'first',
    middles(timeline.bins, bin => bin.ttftP50Ms),
    {width: 2},
  )
  const p95 = line(
    'second',
    middles(timeline.bins, bin => bin.ttftP95Ms),
    {dash: 'dash', width: 1.5},
  )
  const isSmall = points.length <= MOST_DOTS
  const top = isSmall ? greatest(values) : greatest(timeline.bins.map(bin => bin.ttftP95Ms ?? 0))
  return {
    ...identity,
    reading: `From ${formatMs(least(values))} to ${formatMs(greatest(values))}, by the moment of sending.`,
    legend: [
      ...(isSmall ? [{role: 'first' as const, shape: 'dot' as const, label: 'one request'}] : []),
      {role: 'first', shape: 'line', label: 'median'},
      ...(isSmall ? [] : [{role: 'second' as const, shape: 'dash' as const, label: 'p95'}]),
    ],
    note: isSmall
      ? `Every request that got a token (${formatCount(points.length)}), and the median of those sent in each ${formatMs(timeline.binMs)}.`
      : `${formatCount(points.length)} requests, drawn as the median and p95 of those sent in each ${formatMs(timeline.binMs)}; values above p95, up to ${formatMs(greatest(values))}, are not drawn.`,
    description: describe(timeline.bins, 'Median TTFT', bin => bin.ttftP50Ms, formatMs),
    draw: frame => ({
      grid: TIME_GRID,
      xAxis: timeAxis(timeline.spanMs, frame),
      yAxis: durationAxis(top),
      series: isSmall ? [dots('first', points, 0.55), median] : [p95, median],
    }),
  }
}

/** Gaps between chunks by the time of arrival, pooled over all requests. */
export function itlChart(timeline: Timeline): Chart | AbsentChart {
  const identity = {id: 'itl-over-time', title: 'Inter-token latency'}
  if (timeline.gaps.count === 0) {
    return {
      ...identity,
      reason: 'No answer came in more than one chunk, so there is no gap between chunks to show.',
    }
  }
  return {
    ...identity,
    reading: `The gap between chunks as users see the stream: median ${formatMs(timeline.gaps.quantile(0.5))}, p99 ${formatMs(timeline.gaps.quantile(0.99))}.`,
    legend: [
      {role: 'first', shape: 'line', label: 'median'},
      {role: 'second', shape: 'dash', label: 'p95'},
      {role: 'third', shape: 'line', label: 'p99'},
    ],
    note: `${formatCount(timeline.gaps.count)} gaps, drawn as quantiles of intervals of ${formatMs(timeline.binMs)}, each within 0.5 % of the exact value.`,
    description: describe(timeline.bins, 'Median gap', bin => bin.itlP50Ms, formatMs),
    draw: frame => ({
      grid: TIME_GRID,
      xAxis: timeAxis(timeline.spanMs, frame),
      yAxis: durationAxis(greatest(timeline.bins.map(bin => bin.itlP99Ms ?? 0))),
      series: [
        line(
          'third',
          middles(timeline.bins, bin => bin.itlP99Ms),
          {width: 1.25},
        ),
        line(
          'second',
          middles(timeline.bins, bin => bin.itlP95Ms),
          {dash: 'dash', width: 1.5},
        ),
        line(
          'first',
          middles(timeline.bins, bin => bin.itlP50Ms),
          {width: 2},
        ),
      ],
    }),
  }
}

/** Requests finished per second, failed ones apart. */
export function requestRateChart(timeline: Timeline): Chart {
  const failed = timeline.bins.some(bin => bin.failedPerSecond > 0)
  return {
    id: 'requests-per-second',
    title: 'Requests per second',
    reading: `Requests that ended, ${failed ? 'and those of them that failed' : 'all of them successfully'}.`,
    legend: [
      {role: 'first', shape: 'area', label: 'completed'},
      ...(failed ? [{role: 'bad' as const, shape: 'line' as const, label: 'failed'}] : []),
    ],
    note: rateNote(timeline),
    description: describe(
      timeline.bins,
      'Completed requests per second',
      bin => bin.completedPerSecond,
      formatNumber,
    ),
    draw: frame => ({
      grid: TIME_GRID,
      xAxis: timeAxis(timeline.spanMs, frame),
      yAxis: countAxis(
        greatest(timeline.bins.map(bin => Math.max(bin.completedPerSecond, bin.failedPerSecond))),
      ),
      series: [
        line(
          'first',
          steps(timeline.bins, bin => bin.completedPerSecond),
          {isStep: true, area: 0.14},
        ),
        ...(failed
          ? [
              line(
                'bad',
                steps(timeline.bins, bin => bin.failedPerSecond),
                {isStep: true},
              ),
            ]
          : []),
      ],
    }),
  }
}

/** Output tokens by the time of their arrival. */
export function tokenRateChart(timeline: Timeline): Chart | AbsentChart {
  const identity = {id: 'tokens-per-second', title: 'Output tokens per second'}
  const most = greatest(timeline.bins.map(bin => bin.tokensPerSecond))
  if (most === 0) return {...identity, reason: 'No output token arrived in this run.'}
  return {
    ...identity,
    reading: `Tokens counted where their chunk arrived; the best interval reached ${formatNumber(most)} per second.`,
    legend: [{role: 'third', shape: 'area', label: 'output tokens'}],
    note: rateNote(timeline),
    description: describe(
      timeline.bins,
      'Output tokens per second',
      bin => bin.tokensPerSecond,
      formatNumber,
    ),
    draw: frame => ({
      grid: TIME_GRID,
      xAxis: timeAxis(timeline.spanMs, frame),
      yAxis: countAxis(most),
      series: [
        line(
          'third',
          steps(timeline.bins, bin => bin.tokensPerSecond),
          {isStep: true, area: 0.14},
        ),
      ],
    }),
  }
}

/** How many requests were under way. */
export function inFlightChart(timeline: Timeline): Chart {
  const most = greatest(timeline.bins.map(bin => bin.inFlightMax))
  return {
    id: 'in-flight',
    title: 'Requests in flight',
    reading: `Sent and not yet ended: never more than ${formatCount(most)} at once.`,
    legend: [
      {role: 'first', shape: 'area', label: 'mean'},
      {role: 'second', shape: 'dash', label: 'largest'},
    ],
    note: `Time-weighted mean and largest number of intervals of ${formatMs(timeline.binMs)}.`,
    description: describe(timeline.bins, 'Requests in flight', bin => bin.inFlightMean, formatNumber),
    draw: frame => ({
      grid: TIME_GRID,
      xAxis: timeAxis(timeline.spanMs, frame),
      yAxis: countAxis(most, 1),
      series: [
        line(
          'first',
          steps(timeline.bins, bin => bin.inFlightMean),
          {isStep: true, area: 0.14},
        ),
        line(
          'second',
          steps(timeline.bins, bin => bin.inFlightMax),
          {isStep: true, dash: 'dash', width: 1.25},
        ),
      ],
    }),
  }
}

function durationAxis(topMs: number): ReturnType<typeof yAxis> {
  return yAxis(niceTicks(0, topMs || 1, 4), formatMsTick)
}

function countAxis(top: number, minStep = 0): ReturnType<typeof yAxis> {
  return yAxis(niceTicks(0, top || 1, 4, minStep), formatNumber)
}

function rateNote(timeline: Timeline): string {
  return `Counted in intervals of ${formatMs(timeline.binMs)} and given per second.`
}

function describe(
  bins: readonly TimelineBin[],
  what: string,
  value: (bin: TimelineBin) => number | null,
  format: (value: number) => string,
): string {
  const known = bins.map(value).filter(entry => entry !== null)
  if (known.length === 0) return `${what}: no values.`
  return `${what} over ${formatCount(bins.length)} intervals: first ${format(known[0]!)}, lowest ${format(least(known))}, highest ${format(greatest(known))}, last ${format(known.at(-1)!)}.`
}

function greatest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}

function least(values: readonly number[]): number {
  return values.reduce((fewest, value) => Math.min(fewest, value), Number.POSITIVE_INFINITY)
}
