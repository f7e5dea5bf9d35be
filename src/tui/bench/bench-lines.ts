import type {LatelyMs, LiveLook} from '../../lib/bench/index.js'
import {bar} from '../draw/bar.js'
import {count, perSecond, shortMs, shortPercent, shortSize, whole} from '../draw/format.js'
import type {Glyphs} from '../draw/glyphs.js'
import {BLANK, line, span, toneOfPercent, type Line, type Span} from '../draw/line.js'
import {sparkline} from '../draw/sparkline.js'
import {printable} from '../draw/text.js'

/** What a run is, which does not change while it lasts. */
export interface BenchFacts {
  /** Whom it asks for what. */
  readonly title: string
}

const LABEL = 10
const FIGURE = 8
const BAR = 22
/** Beside words, so that the line fits 80 columns. */
const SHORT_BAR = 10
const MOST_GPUS = 4

/** Pure: a run's screen, top to bottom; lines that nothing is known for are left out. */
export function benchLines(look: LiveLook, {title}: BenchFacts, columns: number, glyphs: Glyphs): Line[] {
  const dot = ` ${glyphs.dot} `
  return [
    line(span(printable(title), 'title'), span(`${dot}${shortMs(look.elapsedMs)}`, 'dim')),
    progressLine(look, columns, glyphs),
    BLANK,
    rateLine('requests', perSecond(look.requestsPerSecond), '/s', look.requestRates, columns, glyphs),
    rateLine('tokens', perSecond(look.tokensPerSecond), '/s', look.tokenRates, columns, glyphs),
    latencyLine('TTFT', look.ttft, look.ttftP95s, columns, glyphs),
    ...(look.gap === null ? [] : [latencyLine('gaps', look.gap, [], columns, glyphs)]),
    ...engineLines(look, glyphs),
    ...segmentLines(look, glyphs),
    ...gpuLines(look, glyphs),
    ...failureLines(look),
  ]
}

function progressLine(look: LiveLook, columns: number, glyphs: Glyphs): Line {
  const {answered, total, inFlight, leftMs} = look
  const told = [
    `${answered}/${total}`,
    `${inFlight} in flight`,
    ...(leftMs === null ? [] : [`${shortMs(leftMs)} left`]),
  ]
  const text = ` ${told.join(` ${glyphs.dot} `)}`
  const room = Math.max(10, Math.min(50, columns - text.length - 1))
  const share = {usedBytes: answered, reserveBytes: inFlight, totalBytes: total}
  return line(...bar(share, room, glyphs, 'good'), span(text))
}

function rateLine(
  name: string,
  value: string,
  unit: string,
  history: readonly (number | null)[],
  columns: number,
  glyphs: Glyphs,
): Line {
  return line(
    span(name.padEnd(LABEL), 'strong'),
    span(value.padStart(FIGURE)),
    span(`${unit} `, 'dim'),
    span(sparkline(history, historyColumns(columns), glyphs, null), 'accent'),
  )
}

function latencyLine(
  name: string,
  lately: LatelyMs | null,
  history: readonly (number | null)[],
  columns: number,
  glyphs: Glyphs,
): Line {
  const figures = lately === null ? 'no token yet' : `p50 ${fineMs(lately.p50)}  p95 ${fineMs(lately.p95)}`
  const room = historyColumns(columns) - Math.max(0, figures.length - FIGURE - 2)
  const drawn =
    history.length === 0 || room < 4 ? [] : [span(` ${sparkline(history, room - 1, glyphs, null)}`, 'accent')]
  return line(span(name.padEnd(LABEL), 'strong'), span(` ${figures}`), ...drawn)
}

function engineLines({engine, prefixHitRatio, preemptions}: LiveLook, glyphs: Glyphs): Line[] {
  if (engine === null) return []
  const {running, waiting, kv_cache_usage: usage} = engine
  const percent = usage === null ? null : usage * 100
  const queue = span(`${count(waiting)} waiting`, waiting ? 'warn' : undefined)
  const cache: Span[] =
    percent === null
      ? []
      : [
          span('  KV '),
          ...bar(
            {usedBytes: percent, reserveBytes: 0, totalBytes: 100},
            SHORT_BAR,
            glyphs,
            toneOfPercent(percent),
          ),
          span(` ${shortPercent(percent)}`),
        ]
  const others = [
    ...(prefixHitRatio === null ? [] : [`${shortPercent(prefixHitRatio * 100)} cached`]),
    ...(preemptions ? [`${preemptions} preempted`] : []),
  ]
  const rest = others.length === 0 ? [] : [span(`  ${others.join(` ${glyphs.dot} `)}`)]
  return [
    line(
      span('server'.padEnd(LABEL), 'strong'),
      span(` ${count(running)} running, `),
      queue,
      ...cache,
      ...rest,
    ),
  ]
}

function segmentLines({segments}: LiveLook, glyphs: Glyphs): Line[] {
  return segments.map(
    ({name, used_bytes: usedBytes, prealloc_bytes: reserveBytes, limit_bytes: totalBytes}) => {
      const percent = totalBytes === 0 ? null : (100 * (usedBytes + reserveBytes)) / totalBytes
      return line(
        span('segment'.padEnd(LABEL), 'strong'),
        span(' '),
        ...bar({usedBytes, reserveBytes, totalBytes}, BAR, glyphs, toneOfPercent(percent)),
        span(` ${shortSize(usedBytes)} of ${shortSize(totalBytes)}  `),
        span(printable(name), 'dim'),
      )
    },
  )
}

function gpuLines({gpus}: LiveLook, glyphs: Glyphs): Line[] {
  const own = gpus.filter(({serves}) => serves === true)
  const shown = (own.length > 0 ? own : gpus.filter(({serves}) => serves !== false)).slice(0, MOST_GPUS)
  return shown.map(gpu => {
    const percent = gpu.utilization === null ? null : gpu.utilization * 100
    const parts = [
      `${shortSize(gpu.memory_used_bytes)} of ${shortSize(gpu.memory_total_bytes ?? null)}`,
      whole(gpu.power_watts, ' W'),
      whole(gpu.temperature_celsius ?? null, ' °C'),
    ]
    return line(
      span(`GPU ${gpu.index}`.padEnd(LABEL), 'strong'),
      span(' '),
      ...bar({usedBytes: percent ?? 0, reserveBytes: 0, totalBytes: 100}, BAR, glyphs, undefined),
      span(` ${shortPercent(percent)}  ${parts.join(` ${glyphs.dot} `)}`),
    )
  })
}

function failureLines({failures}: LiveLook): Line[] {
  if (failures.length === 0) return []
  const text = failures.map(([name, times]) => `${times} ${name}`).join(', ')
  return [line(span('failed'.padEnd(LABEL), 'strong'), span(` ${text}`, 'bad'))]
}

/** Below 10 ms a whole number says too little. */
function fineMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(2)} ms` : shortMs(ms)
}

function historyColumns(columns: number): number {
  return Math.max(0, Math.min(60, columns - LABEL - FIGURE - 4))
}
