import type {LineSeriesOption, ScatterSeriesOption} from 'echarts/charts'
import {timeTicks} from '../axis.js'
import {formatNumber} from '../format.js'
import {sentinel, type Role} from '../palette.js'
import type {ChartOption} from '../render-svg.js'
import type {Frame} from './chart.js'

export type Point = readonly [x: number, y: number | null]
type XAxis = Exclude<NonNullable<ChartOption['xAxis']>, readonly unknown[]>
type YAxis = Exclude<NonNullable<ChartOption['yAxis']>, readonly unknown[]>

/** The same margins in every time chart, so that equal moments stand above each other. */
export const TIME_GRID = {left: 62, right: 18, top: 14, bottom: 30} as const

const TICK_LABEL = {color: sentinel('muted'), fontSize: 12, hideOverlap: true} as const

/** A horizontal axis of our own ticks. */
export function xAxis(
  ticks: readonly number[],
  label: (tick: number) => string,
  max: number,
  min = 0,
): XAxis {
  const customValues = [...ticks]
  return {
    type: 'value',
    min,
    max,
    axisLine: {show: true, onZero: false, lineStyle: {color: sentinel('rule')}},
    axisTick: {show: true, customValues, length: 4, lineStyle: {color: sentinel('rule')}},
    axisLabel: {...TICK_LABEL, customValues, formatter: (value: number) => label(value)},
    splitLine: {show: false},
  }
}

/** Seconds since the first request was sent. */
export function timeAxis(spanMs: number, frame: Frame): XAxis {
  const seconds = spanMs / 1000
  const ticks = timeTicks(seconds, Math.floor(frame.width / 80))
  const [unit, divisor] = seconds > 600 ? (['min', 60] as const) : (['s', 1] as const)
  return xAxis(ticks, value => (value === 0 ? '0' : `${formatNumber(value / divisor)} ${unit}`), seconds)
}

/** A vertical axis of our own ticks, with a hairline for each. */
export function yAxis(ticks: readonly number[], label: (tick: number) => string): YAxis {
  const customValues = [...ticks]
  return {
    type: 'value',
    min: ticks[0]!,
    max: ticks.at(-1)!,
    axisLine: {show: false},
    axisTick: {show: false, customValues},
    axisLabel: {...TICK_LABEL, customValues, formatter: (value: number) => label(value)},
    splitLine: {show: true, lineStyle: {color: sentinel('rule'), width: 1}},
  }
}

const DASHES = {dash: [5, 4], dotted: [2, 3]} as const

export interface LineStyle {
  readonly width?: number
  readonly dash?: keyof typeof DASHES
  /** Holds each value until the next point. */
  readonly isStep?: boolean
  /** Opacity of the area below. */
  readonly area?: number
  readonly stack?: string
}

/** A line that breaks where there is no value; a value between two gaps becomes a dot. */
export function line(role: Role, points: readonly Point[], style: LineStyle = {}): LineSeriesOption {
  const isAlone = (at: number): boolean => at >= 0 && isLonely(points, at)
  return {
    type: 'line',
    data: points.map(([x, y]) => [x, y ?? Number.NaN]),
    silent: true,
    emphasis: {disabled: true},
    connectNulls: false,
    symbol: 'circle',
    showAllSymbol: true,
    showSymbol: points.some((_, at) => isAlone(at)),
    symbolSize: (_: unknown, parameters: {dataIndex: number}) => (isAlone(parameters.dataIndex) ? 5 : 0),
    itemStyle: {color: sentinel(role)},
    lineStyle: {
      color: sentinel(role),
      width: style.width ?? 1.75,
      cap: 'butt',
      join: 'round',
      ...(style.dash !== undefined && {type: [...DASHES[style.dash]]}),
    },
    ...(style.isStep === true && {step: 'end' as const}),
    ...(style.area !== undefined && {areaStyle: {color: sentinel(role), opacity: style.area}}),
    ...(style.stack !== undefined && {stack: style.stack}),
  }
}

function isLonely(points: readonly Point[], at: number): boolean {
  const value = (index: number): number | null => points[index]?.[1] ?? null
  return value(at) !== null && value(at - 1) === null && value(at + 1) === null
}

/** Many small dots as one path. */
export function dots(role: Role, points: readonly Point[], opacity: number): ScatterSeriesOption {
  return {
    type: 'scatter',
    data: points.map(([x, y]) => [x, y ?? Number.NaN]),
    large: true,
    largeThreshold: 1,
    symbolSize: 4.5,
    silent: true,
    itemStyle: {color: sentinel(role), opacity},
  }
}

/** A series over intervals as a step line: the value of each from its start to its end. */
export function steps<Bin extends {readonly fromMs: number; readonly toMs: number}>(
  bins: readonly Bin[],
  value: (bin: Bin) => number,
): readonly Point[] {
  const last = bins.at(-1)
  const points = bins.map((bin): Point => [bin.fromMs / 1000, value(bin)])
  return last === undefined ? points : [...points, [last.toMs / 1000, value(last)]]
}

/** A series over intervals as a line through their middles. */
export function middles<Bin extends {readonly fromMs: number; readonly toMs: number}>(
  bins: readonly Bin[],
  value: (bin: Bin) => number | null,
): readonly Point[] {
  return bins.map(bin => [(bin.fromMs + bin.toMs) / 2000, value(bin)])
}
