import type {ScatterSeriesOption} from 'echarts/charts'
import {logTicks} from '../axis.js'
import {formatCount, formatMs, formatMsTick, formatPercent} from '../format.js'
import {percentile, type LogHistogram} from '../../metrics/index.js'
import {sentinel, type Role} from '../palette.js'
import {nines, quantileCurve, topFraction, type QuantilePoint} from '../quantiles.js'
import type {ReportRequest} from '../report-data.js'
import type {AbsentChart, Chart, Frame} from './chart.js'
import {line, xAxis, yAxis} from './parts.js'

const CURVE_POINTS = 240
const MARKS = [0.5, 0.9, 0.95, 0.99] as const
const AXIS_FRACTIONS = [0, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999] as const

interface Curve {
  readonly label: string
  readonly role: Role
  readonly shape: 'line' | 'dash' | 'dotted'
  readonly count: number
  readonly points: readonly QuantilePoint[]
  readonly quantile: (fraction: number) => number
}

/** The share of requests done within a time, for the whole answer and for its first token, and of gaps between chunks. */
export function latencyCdfChart(requests: readonly ReportRequest[], gaps: LogHistogram): Chart | AbsentChart {
  const identity = {id: 'latency-cdf', title: 'Latency distribution'}
  const successes = requests.filter(request => request.isSuccess)
  const top = topFraction(successes.length)
  const curves = [
    ...sampleCurve('whole answer', 'first', 'line', successes.map(lastTokenMs), top),
    ...sampleCurve(
      'first token',
      'second',
      'dash',
      successes.map(request => request.ttftMs).filter(isKnown),
      top,
    ),
    ...gapCurve(gaps, top),
  ]
  const main = curves[0]
  if (main === undefined)
    return {...identity, reason: 'No request of this run succeeded, so there is no latency to show.'}
  return {
    ...identity,
    reading: `Half of the answers were complete within ${formatMs(main.quantile(0.5))}, 95 % within ${formatMs(main.quantile(0.95))}, 99 % within ${formatMs(main.quantile(0.99))}.`,
    legend: curves.map(curve => ({
      role: curve.role,
      shape: curve.shape,
      label: curve.label,
    })),
    note:
      `The share rises upwards on a scale that gives each further nine the same room, so that the slow tail can be read; time runs on a logarithmic axis. ` +
      `Each curve is drawn at ${formatCount(CURVE_POINTS)} quantiles of ` +
      `${curves.map(curve => `${formatCount(curve.count)} (${curve.label})`).join(', ')} samples and ends at ${formatPercent(top)}.`,
    description: curves
      .map(
        curve =>
          `${curve.label}: ${MARKS.map(mark => `p${mark * 100} ${formatMs(curve.quantile(mark))}`).join(', ')}.`,
      )
      .join(' '),
    stretch: 1.35,
    draw: frame => drawCurves(frame, curves, top),
  }
}

function drawCurves(frame: Frame, curves: readonly Curve[], top: number): ReturnType<Chart['draw']> {
  const values = curves.flatMap(curve => curve.points.map(point => point.value)).filter(value => value > 0)
  const low = values.reduce((least, value) => Math.min(least, value))
  const high = values.reduce((most, value) => Math.max(most, value))
  const ticks = logTicks(low / 1.15, high * 1.15, Math.floor(frame.width / 70))
  const fractions = AXIS_FRACTIONS.filter(fraction => fraction <= top)
  return {
    grid: {left: 52, right: frame.name === 'narrow' ? 82 : 110, top: 14, bottom: 30},
    xAxis: xAxis(
      ticks.map(Math.log10),
      value => formatMsTick(10 ** value),
      Math.log10(high * 1.05),
      Math.log10(low / 1.15),
    ),
    yAxis: {
      ...yAxis(fractions.map(nines), value => axisName(value)),
      max: nines(top),
    },
    series: [
      ...curves.map(curve =>
        line(
          curve.role,
          curve.points
            .filter(point => point.value > 0)
            .map(point => [Math.log10(point.value), nines(point.fraction)]),
          {width: 2, ...(curve.shape !== 'line' && {dash: curve.shape})},
        ),
      ),
      ...curves.map((curve, at) => marks(curve, at === 0)),
    ],
  }
}

/** The p50, p90, p95 and p99 of a curve as dots on it; those of the main curve carry their values. */
function marks(curve: Curve, isLabelled: boolean): ScatterSeriesOption {
  return {
    type: 'scatter',
    data: MARKS.filter(mark => curve.quantile(mark) > 0).map(mark => [
      Math.log10(curve.quantile(mark)),
      nines(mark),
    ]),
    symbolSize: isLabelled ? 7 : 5,
    silent: true,
    clip: false,
    itemStyle: {color: sentinel(curve.role)},
    label: {
      show: isLabelled,
      position: 'right',
      distance: 7,
      color: sentinel('ink'),
      fontSize: 12,
      backgroundColor: sentinel('paper'),
      padding: [1, 3],
      formatter: ({dataIndex}: {dataIndex: number}) =>
        `p${MARKS[dataIndex]! * 100}  ${formatMs(curve.quantile(MARKS[dataIndex]!))}`,
    },
  }
}

function sampleCurve(
  label: string,
  role: Role,
  shape: Curve['shape'],
  samples: readonly number[],
  top: number,
): readonly Curve[] {
  if (samples.length === 0) return []
  const sorted = Float64Array.from(samples).sort()
  return [
    {
      label,
      role,
      shape,
      count: sorted.length,
      points: quantileCurve(sorted, top, CURVE_POINTS),
      quantile: fraction => percentile(sorted, fraction)!,
    },
  ]
}

function gapCurve(gaps: LogHistogram, top: number): readonly Curve[] {
  if (gaps.count === 0) return []
  const quantile = (fraction: number): number => gaps.quantile(fraction)!
  const points = Array.from({length: CURVE_POINTS}, (_, at) => {
    const fraction = 1 - 10 ** -((at / (CURVE_POINTS - 1)) * nines(top))
    return {fraction, value: quantile(fraction)}
  })
  return [{label: 'gap between chunks', role: 'third', shape: 'dotted', count: gaps.count, points, quantile}]
}

function axisName(height: number): string {
  const fraction = AXIS_FRACTIONS.find(candidate => Math.abs(nines(candidate) - height) < 1e-6)
  return fraction === undefined ? '' : formatPercent(fraction)
}

function lastTokenMs(request: ReportRequest): number {
  return request.e2eMs ?? request.latencyMs
}

function isKnown(value: number | null): value is number {
  return value !== null
}
