import {byteTicks, niceTicks} from '../axis.js'
import {formatBytes, formatCount, formatPercent} from '../format.js'
import type {MemorySample} from '../report-data.js'
import type {AbsentChart, Chart} from './chart.js'
import {line, timeAxis, TIME_GRID, yAxis, type Point} from './parts.js'

const IDENTITY = {id: 'kv-use', title: 'KV-cache memory'}
const MOST_POINTS = 400
const FAR_ABOVE = 3

/** What the engine's segment showed during the run: used and preallocated bytes under the limit; else the engine's own usage ratio. */
export function memoryChart(samples: readonly MemorySample[], spanMs: number): Chart | AbsentChart {
  const inRun = duringRun(samples, spanMs)
  const segment = inRun.filter(sample => sample.usedBytes !== null && sample.limitBytes !== null)
  if (segment.length > 0) return segmentChart(segment, spanMs)
  const usage = inRun.filter(sample => sample.kvCacheUsage !== null)
  if (usage.length > 0) return usageChart(usage, spanMs)
  return {
    ...IDENTITY,
    reason:
      samples.length === 0
        ? 'No memory was sampled: the target published no KV-cache segment on this machine and its /metrics were not read.'
        : 'The samples of this run hold neither a segment nor a KV-cache usage.',
  }
}

function segmentChart(all: readonly MemorySample[], spanMs: number): Chart {
  const samples = thin(all)
  const at = (value: (sample: MemorySample) => number | null): readonly Point[] =>
    samples.map(sample => [sample.atMs / 1000, value(sample)])
  const reserved = (sample: MemorySample): number => (sample.usedBytes ?? 0) + (sample.preallocatedBytes ?? 0)
  const most = all.reduce((top, sample) => Math.max(top, sample.usedBytes ?? 0), 0)
  const limits = [...new Set(all.map(sample => sample.limitBytes ?? 0))]
  const mostReserved = all.reduce((high, sample) => Math.max(high, reserved(sample)), 1)
  // A limit far above all use would press the use against the axis.
  const drawn = limits.filter(limit => limit <= FAR_ABOVE * mostReserved)
  const top = Math.max(mostReserved, ...drawn)
  const over = all.filter(sample => reserved(sample) > (sample.limitBytes ?? 0)).length
  const limitText =
    limits.length === 1
      ? `limit ${formatBytes(limits[0]!)}`
      : `limit changed during the run: ${limits.map(formatBytes).join(' → ')}`
  return {
    ...IDENTITY,
    reading: `At most ${formatBytes(most)} in use and ${formatBytes(mostReserved)} held with what was preallocated; ${limitText}.`,
    legend: [
      {role: 'first', shape: 'area', label: 'used'},
      {role: 'third', shape: 'line', label: 'used + preallocated'},
      ...(drawn.length === 0 ? [] : [{role: 'bad' as const, shape: 'dash' as const, label: 'limit'}]),
    ],
    note: [looksNote(all.length, samples.length), obeyedNote(all.length, over), aboveNote(limits, drawn)]
      .filter(part => part !== '')
      .join('; ')
      .concat('.'),
    description: `Bytes in use: first ${formatBytes(all[0]!.usedBytes)}, highest ${formatBytes(most)}, last ${formatBytes(all.at(-1)!.usedBytes)}; ${limitText}.`,
    draw: frame => ({
      grid: TIME_GRID,
      xAxis: timeAxis(spanMs, frame),
      yAxis: yAxis(byteTicks(top, 4), formatBytes),
      series: [
        line(
          'first',
          at(sample => sample.usedBytes ?? 0),
          {isStep: true, area: 0.16},
        ),
        line('third', at(reserved), {isStep: true, width: 1.25}),
        line(
          'bad',
          at(({limitBytes}) => (limitBytes !== null && limitBytes <= top ? limitBytes : null)),
          {isStep: true, dash: 'dash'},
        ),
      ],
    }),
  }
}

function usageChart(all: readonly MemorySample[], spanMs: number): Chart {
  const samples = thin(all)
  const values = all.map(sample => sample.kvCacheUsage ?? 0)
  const top = values.reduce((high, value) => Math.max(high, value), 0)
  return {
    ...IDENTITY,
    reading: `At most ${formatPercent(top)} of the engine's KV blocks in use.`,
    legend: [{role: 'first', shape: 'area', label: 'KV-cache usage'}],
    note: `${formatCount(all.length)} readings of the engine's own gauge.`,
    description: `KV-cache usage: first ${formatPercent(values[0]!)}, highest ${formatPercent(top)}, last ${formatPercent(values.at(-1)!)}.`,
    draw: frame => ({
      grid: TIME_GRID,
      xAxis: timeAxis(spanMs, frame),
      yAxis: yAxis(niceTicks(0, Math.max(top, 0.01), 4), formatPercent),
      series: [
        line(
          'first',
          samples.map(sample => [sample.atMs / 1000, sample.kvCacheUsage]),
          {isStep: true, area: 0.16},
        ),
      ],
    }),
  }
}

function looksNote(looks: number, drawn: number): string {
  const thinned = `, ${formatCount(drawn)} drawn (the largest use of each stretch is kept)`
  return `${formatCount(looks)} looks at the segment${drawn < looks ? thinned : ''}`
}

function obeyedNote(looks: number, over: number): string {
  return over === 0
    ? 'used + preallocated was within the limit at every look'
    : `used + preallocated was above the limit at ${formatCount(over)} of ${formatCount(looks)} looks`
}

function aboveNote(limits: readonly number[], drawn: readonly number[]): string {
  const above = limits.filter(limit => !drawn.includes(limit))
  return above.length === 0 ? '' : `a limit of ${above.map(formatBytes).join(' and ')} lies above the chart`
}

/** The looks during the run; the last one before it stands for its start. */
function duringRun(samples: readonly MemorySample[], spanMs: number): readonly MemorySample[] {
  const before = samples.findLast(sample => sample.atMs < 0)
  const during = samples.filter(sample => sample.atMs >= 0 && sample.atMs <= spanMs)
  return before === undefined ? during : [{...before, atMs: 0}, ...during]
}

/** At most `MOST_POINTS` samples: of each stretch the one with the largest use, and every one at which the limit changed. */
function thin(samples: readonly MemorySample[]): readonly MemorySample[] {
  if (samples.length <= MOST_POINTS) return samples
  const stretch = Math.ceil(samples.length / MOST_POINTS)
  const use = (sample: MemorySample): number => sample.usedBytes ?? sample.kvCacheUsage ?? 0
  const kept = new Set<MemorySample>([samples[0]!, samples.at(-1)!])
  for (let from = 0; from < samples.length; from += stretch) {
    kept.add(
      samples.slice(from, from + stretch).reduce((most, sample) => (use(sample) > use(most) ? sample : most)),
    )
  }
  samples.forEach((sample, at) => {
    if (at > 0 && sample.limitBytes !== samples[at - 1]!.limitBytes) kept.add(sample).add(samples[at - 1]!)
  })
  return samples.filter(sample => kept.has(sample))
}
