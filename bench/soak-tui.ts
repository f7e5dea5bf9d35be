/**
 * kvtop's memory over 36,000 frames, ten hours at one a second, drawn as fast as they go: 50 segments, 8 GPUs, 4 engines, tiers
 * and models change with each look; now and then the view, the size, a filter and the details do. The screen is the real one
 * (Ink, the differences of frames), its terminal counts what it gets. With SECONDS it ends then. Fails when the heap after a
 * collection, or the resident memory, keeps growing after the first quarter.
 *
 *     npm run build && npm run build:test && node build/bench/soak-tui.js [SECONDS]
 */
import {EventEmitter} from 'node:events'
import {setFlagsFromString} from 'node:v8'
import {runInNewContext} from 'node:vm'
import type {MonitorLook} from '../src/lib/monitor/index.js'
import {UNICODE} from '../src/tui/draw/glyphs.js'
import type {TerminalOutput} from '../src/tui/terminal/frame-writer.js'
import {
  deviceFigures,
  engineFigures,
  hostLook,
  modelFigures,
  monitorLook,
  segmentFigures,
  tierFigures,
} from '../test/support/monitor-looks.js'
import {FakeTerminal} from '../test/support/terminal.js'

// React asks at its load which of its builds it is.
process.env['NODE_ENV'] = 'production'
const {runKvtop} = await import('../src/tui/run-kvtop.js')

const FRAMES = 36_000
const seconds = process.argv[2] === undefined ? Infinity : Number(process.argv[2])
/** What may come on top without being a leak: histories that fill up, compiled code. */
const [HEAP_MIB, RESIDENT_MIB] = [8, 40]
const MIB = 2 ** 20

/** Keeps nothing but how much it was sent. */
class CountingTerminal extends EventEmitter implements TerminalOutput {
  columns = 120
  rows = 50
  bytes = 0
  writes = 0
  readonly keyboard = new FakeTerminal(0, 0).keyboard

  write(text: string): boolean {
    this.bytes += text.length
    this.writes++
    this.emit('written')
    return true
  }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function lookAt(at: number): MonitorLook {
  const wave = (phase: number): number => 50 + 45 * Math.sin((at + phase * 7) / 20)
  const segments = Array.from({length: 50}, (_, index) =>
    // One comes and goes.
    segmentFigures(index === 49 ? `guest-${at >> 6}` : `kvcached_vLLM_${1000 + index}`, wave(index)),
  )
  const devices = Array.from({length: 8}, (_, index) =>
    deviceFigures(index, {utilizationPercent: wave(index), powerWatts: 300 + (at % 100)}),
  )
  const engines = Array.from({length: 4}, (_, index) =>
    engineFigures(8000 + index, {kvUsagePercent: wave(index), running: at % 40}),
  )
  const tiers = [tierFigures('LocalCPUBackend', {chunks: at})]
  return monitorLook(
    at,
    hostLook({segments, devices, engines, tiers, models: [modelFigures('m', {requests: at})]}),
  )
}

const terminal = new CountingTerminal()
const end = new AbortController()
let show: (look: MonitorLook) => void = () => undefined
const ended = runKvtop({
  stdin: terminal.keyboard as unknown as NodeJS.ReadStream,
  stdout: terminal,
  looks: async onLook => void (show = onLook),
  actions: {} as never,
  glyphs: UNICODE,
  hasColor: true,
  facts: {intervalMs: 1000, note: null},
  hasMouse: true,
  signal: end.signal,
})
await new Promise(resolve => setTimeout(resolve, 100))

/** Done once in a while, in turn. */
const DISTURBANCES: readonly (() => void)[] = [
  () => terminal.keyboard.type('2'),
  () => terminal.keyboard.type('j'),
  () => terminal.keyboard.type('>'),
  () => resize(80, 24),
  () => terminal.keyboard.type('4'),
  () => terminal.keyboard.type('\r'),
  () => terminal.keyboard.type('/1\r'),
  () => resize(300, 80),
  () => terminal.keyboard.type('\u001B'),
  () => terminal.keyboard.type('\u001B'),
  () => terminal.keyboard.type('1'),
  () => resize(120, 50),
]

function resize(columns: number, rows: number): void {
  Object.assign(terminal, {columns, rows})
  terminal.emit('resize')
}

interface Sample {
  readonly frame: number
  readonly heapMib: number
  readonly residentMib: number
}

function sample(frame: number): Sample {
  collect()
  const {heapUsed, rss} = process.memoryUsage()
  return {frame, heapMib: heapUsed / MIB, residentMib: rss / MIB}
}

const samples: Sample[] = []
const startMs = performance.now()
const isOver = (frame: number): boolean => frame >= FRAMES || performance.now() - startMs > seconds * 1000
let nextSampleMs = 0
let frame = 0
for (; !isOver(frame); frame++) {
  const drawn = new Promise(resolve => terminal.once('written', resolve))
  show(lookAt(frame))
  await drawn
  if (frame % 97 === 96) DISTURBANCES[Math.floor(frame / 97) % DISTURBANCES.length]!()
  if (performance.now() < nextSampleMs) continue
  samples.push(sample(frame))
  nextSampleMs = performance.now() + Math.max(500, Math.min(seconds * 1000, 60_000) / 40)
}
samples.push(sample(frame))
const tookS = (performance.now() - startMs) / 1000
end.abort()
await ended

// Histories are full after 300 looks; what is compiled and cached is there by then too.
const settled = samples.slice(Math.floor(samples.length / 4))
const half = Math.ceil(settled.length / 2)
const mean = (list: readonly Sample[], of: (one: Sample) => number): number =>
  list.reduce((sum, one) => sum + of(one), 0) / list.length
const growth = (of: (one: Sample) => number): number =>
  mean(settled.slice(half), of) - mean(settled.slice(0, half), of)
const [heapGrowth, residentGrowth] = [growth(one => one.heapMib), growth(one => one.residentMib)]
console.log(
  `kvtop soak: ${frame} frames in ${tookS.toFixed(1)} s (${(frame / tookS).toFixed(0)} a second), Node ${process.version}`,
)
console.log(`  sent ${(terminal.bytes / frame).toFixed(0)} B a frame in ${terminal.writes} writes`)
for (const {frame: at, heapMib, residentMib} of samples.filter(
  (_, index) => index % Math.ceil(samples.length / 8) === 0,
))
  console.log(
    `  frame ${String(at).padStart(6)}: heap ${heapMib.toFixed(1)} MiB, resident ${residentMib.toFixed(0)} MiB`,
  )
console.log(
  `  second half beside first, after a quarter: heap ${heapGrowth.toFixed(2)} MiB, resident ${residentGrowth.toFixed(1)} MiB`,
)
const isFlat = heapGrowth < HEAP_MIB && residentGrowth < RESIDENT_MIB
console.log(
  isFlat ? 'memory is flat' : `memory grows: at most ${HEAP_MIB} and ${RESIDENT_MIB} MiB are allowed`,
)
process.exitCode = isFlat ? 0 : 1
