import {niceTicks} from '../axis.js'
import {formatCount, formatNumber, formatPercent} from '../format.js'
import type {ServerSample} from '../report-data.js'
import type {AbsentChart, Chart} from './chart.js'
import {line, timeAxis, TIME_GRID, yAxis, type Point} from './parts.js'

const MOST_POINTS = 400

/** What the servers and their GPUs showed, each chart only where anybody looked; all share the time axis of the others. */
export function serverCharts(
  samples: readonly ServerSample[],
  spanMs: number,
): readonly (Chart | AbsentChart)[] {
  const during = samples.filter(({atMs}) => atMs >= 0 && atMs <= spanMs)
  const those = (value: (sample: ServerSample) => number | null): readonly ServerSample[] =>
    thin(during.filter(sample => value(sample) !== null))
  const [engine, busy, powered] = [
    those(sample => sample.running),
    those(sample => sample.gpuUtilization),
    those(sample => sample.gpuPowerWatts),
  ]
  return [
    engine.length === 0 ? NO_QUEUE : queueChart(engine, spanMs),
    ...(busy.length === 0 ? [] : [utilizationChart(busy, spanMs)]),
    ...(powered.length === 0 ? [] : [powerChart(powered, spanMs)]),
  ]
}

const QUEUE = {id: 'server-queue', title: 'Requests in the server'}
const NO_QUEUE: AbsentChart = {
  ...QUEUE,
  reason: 'The server showed no metrics of an engine, so what ran and waited in it is not known.',
}

function queueChart(samples: readonly ServerSample[], spanMs: number): Chart {
  const most = (value: (sample: ServerSample) => number | null): number =>
    samples.reduce((high, sample) => Math.max(high, value(sample) ?? 0), 0)
  const [running, waiting] = [most(sample => sample.running), most(sample => sample.waiting)]
  return {
    ...QUEUE,
    reading:
      waiting === 0
        ? `At most ${formatCount(running)} ran at once; nothing was seen waiting.`
        : `At most ${formatCount(running)} ran and ${formatCount(waiting)} waited at once.`,
    legend: [
      {role: 'first', shape: 'area', label: 'running'},
      {role: 'bad', shape: 'line', label: 'waiting'},
    ],
    note: `${formatCount(samples.length)} readings of the server’s own gauges.`,
    description: `Running and waiting requests as the server tells them: at most ${formatCount(running)} and ${formatCount(waiting)}.`,
    draw: frame => ({
      grid: TIME_GRID,
      xAxis: timeAxis(spanMs, frame),
      yAxis: yAxis(niceTicks(0, Math.max(running, waiting, 1), 4, 1), formatNumber),
      series: [
        line(
          'first',
          points(samples, sample => sample.running),
          {isStep: true, area: 0.14},
        ),
        line(
          'bad',
          points(samples, sample => sample.waiting),
          {isStep: true, width: 1.5},
        ),
      ],
    }),
  }
}

function utilizationChart(samples: readonly ServerSample[], spanMs: number): Chart {
  const mean = meanOf(samples, sample => sample.gpuUtilization)
  return {
    id: 'gpu-utilization',
    title: 'GPU utilisation',
    reading: `A kernel ran ${formatPercent(mean)} of the time, as the mean of the GPUs that served.`,
    legend: [{role: 'third', shape: 'area', label: 'utilisation'}],
    note: `${formatCount(samples.length)} looks through the driver.`,
    description: `GPU utilisation: mean ${formatPercent(mean)}.`,
    draw: frame => ({
      grid: TIME_GRID,
      xAxis: timeAxis(spanMs, frame),
      yAxis: yAxis([0, 0.25, 0.5, 0.75, 1], formatPercent),
      series: [
        line(
          'third',
          points(samples, sample => sample.gpuUtilization),
          {isStep: true, area: 0.14},
        ),
      ],
    }),
  }
}

function powerChart(samples: readonly ServerSample[], spanMs: number): Chart {
  const top = samples.reduce((high, sample) => Math.max(high, sample.gpuPowerWatts ?? 0), 0)
  const mean = meanOf(samples, sample => sample.gpuPowerWatts)
  return {
    id: 'gpu-power',
    title: 'GPU power',
    reading: `${formatNumber(mean)} W on average, at most ${formatNumber(top)} W, of the GPUs that served together.`,
    legend: [{role: 'second', shape: 'area', label: 'power'}],
    note: `${formatCount(samples.length)} looks through the driver.`,
    description: `Power: mean ${formatNumber(mean)} W, highest ${formatNumber(top)} W.`,
    draw: frame => ({
      grid: TIME_GRID,
      xAxis: timeAxis(spanMs, frame),
      yAxis: yAxis(niceTicks(0, top || 1, 4), value => `${formatNumber(value)} W`),
      series: [
        line(
          'second',
          points(samples, sample => sample.gpuPowerWatts),
          {isStep: true, area: 0.14},
        ),
      ],
    }),
  }
}

function points(
  samples: readonly ServerSample[],
  value: (sample: ServerSample) => number | null,
): readonly Point[] {
  return samples.map(sample => [sample.atMs / 1000, value(sample)])
}

function meanOf(samples: readonly ServerSample[], value: (sample: ServerSample) => number | null): number {
  return samples.reduce((sum, sample) => sum + (value(sample) ?? 0), 0) / samples.length
}

/** Every nth sample where there are more than a chart shows. */
function thin(samples: readonly ServerSample[]): readonly ServerSample[] {
  const step = Math.ceil(samples.length / MOST_POINTS)
  return step <= 1 ? samples : samples.filter((_, at) => at % step === 0)
}
