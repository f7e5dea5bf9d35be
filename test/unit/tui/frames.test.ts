import {expect} from 'chai'
import {drawFrame, type ScreenSize} from '../../../src/tui/draw/frame.js'
import {ASCII, UNICODE, type Glyphs} from '../../../src/tui/draw/glyphs.js'
import {paint} from '../../../src/tui/draw/paint.js'
import {widthOf} from '../../../src/tui/draw/text.js'
import {reduce, type KvtopEvent} from '../../../src/tui/state/reduce.js'
import {FIRST_STATE, type KvtopState} from '../../../src/tui/state/state.js'
import {expectGolden} from '../../support/golden.js'
import {
  deviceFigures,
  engineFigures,
  hostLook,
  modelFigures,
  monitorLook,
  segmentFigures,
  tierFigures,
} from '../../support/monitor-looks.js'

const FACTS = {intervalMs: 1000, note: null}
const SIZES: readonly ScreenSize[] = [
  {columns: 40, rows: 10},
  {columns: 80, rows: 24},
  {columns: 300, rows: 80},
]

const uncoloured = (text: string): string => text.replaceAll(/\u001B\[[\d;]*m/g, '')

const key = (name: string): KvtopEvent => ({kind: 'key', key: name, text: name.length === 1 ? name : ''})
const VIEWS = [
  ['engines', '4', 'enter'],
  ['processes', '5'],
  ['tiers', '6', 'down', 'enter'],
  ['controller', '7', 'enter'],
  ['help', '?'],
  ['confirm', '4', 'down', 's'],
] as const

function stateAfter(...events: KvtopEvent[]): KvtopState {
  return events.reduce(reduce, FIRST_STATE)
}

const BESIDE = {
  engines: [
    engineFigures(8000),
    engineFigures(8001, {
      ...{model: 'meta-llama/Llama-3.1-8B-Instruct', kind: 'sglang', preemptions: null},
      ...{running: 0, waiting: 0, kvUsagePercent: 0, ttftMs: null, generationTokensPerSecond: 0},
      ...{segment: 'kvcached_SGLang_777', devices: ['1', '2']},
    }),
    engineFigures(8002, {
      ...{model: 'Qwen/Qwen3-32B', state: 'asleep', readAtMs: monitorLook().takenAtMs, segment: null},
    }),
  ],
  tiers: [
    tierFigures('LocalCPUBackend'),
    tierFigures('LocalDiskBackend', {degraded: 'ENOSPC: no space left on device', failures: 12}),
    tierFigures('RemoteBackend', {capacityBytes: null, bytes: null, chunks: null}),
  ],
  models: [
    modelFigures('Qwen/Qwen3-8B', {readAtMs: monitorLook(19).takenAtMs}),
    modelFigures('Qwen/Qwen3-32B', {
      ...{phase: 'asleep', asleepForMs: 125_000, idleMs: 425_000, healthyEngines: 1},
      readAtMs: monitorLook(19).takenAtMs,
    }),
  ],
} as const
const looks = Array.from({length: 20}, (_, at) => {
  const segments = [segmentFigures('kvcached_vLLM_12345', 5 * at), ...hostLook().segments.slice(1)]
  const devices = hostLook().devices.map(device => ({...device, utilizationPercent: (at * 13) % 100}))
  return {kind: 'look', look: monitorLook(at, hostLook({segments, devices, ...BESIDE}))} as const
})

function draw(state: KvtopState, size: ScreenSize, glyphs: Glyphs, hasColor = false): string {
  const {lines} = drawFrame(state, size, glyphs, FACTS)
  return lines.map(line => paint(line, size.columns, hasColor, glyphs.ellipsis)).join('\n')
}

describe('a frame of kvtop', () => {
  const zone = process.env['TZ']
  before(() => (process.env['TZ'] = 'UTC'))
  after(() => {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  })

  for (const size of SIZES) {
    const name = `${size.columns}x${size.rows}`
    it(`is the one that was found right at ${name}, in colour, without and in ASCII`, () => {
      const state = stateAfter(...looks)
      expectGolden(`kvtop/${name}.txt`, draw(state, size, UNICODE))
      expectGolden(`kvtop/${name}-ascii.txt`, draw(state, size, ASCII))
      expectGolden(`kvtop/${name}-colour.txt`, draw(state, size, UNICODE, true))
    })

    it(`shows each view as it was found right at ${name}`, () => {
      for (const [view, ...keys] of VIEWS) {
        const state = stateAfter(...looks, ...keys.map(key))
        expectGolden(`kvtop/${name}-${view}.txt`, draw(state, size, UNICODE))
      }
    })

    it(`fills ${name} exactly and is no wider, whatever is open`, () => {
      const opened = [
        [],
        [key('?')],
        [key('enter')],
        [key('2'), key('i')],
        [key('3')],
        ...['4', '5', '6', '7'].map(view => [key(view), key('enter')]),
        [key('/')],
        [key('l')],
        [key('d')],
      ]
      for (const keys of opened) {
        const lines = draw(stateAfter(...looks, ...keys), size, UNICODE).split('\n')
        expect(lines).to.have.length(size.rows)
        for (const text of lines) expect(widthOf(text)).to.be.at.most(size.columns)
      }
    })
  }

  it('is drawn at any size, however small', () => {
    for (const columns of [1, 2, 5, 12, 20]) {
      for (const rows of [1, 2, 3, 5]) {
        for (const keys of [[], [key('?')], [key('enter')], [key('/')], [key('d')]]) {
          const lines = draw(stateAfter(...looks, ...keys), {columns, rows}, UNICODE).split('\n')
          expect(lines).to.have.length(rows)
          for (const text of lines) expect(widthOf(text)).to.be.at.most(columns)
        }
      }
    }
  })

  it('says the same in colour and without', () => {
    const state = stateAfter(...looks)
    const size = SIZES[1]!
    const plain = draw(state, size, UNICODE).split('\n')
    const coloured = uncoloured(draw(state, size, UNICODE, true))
      .split('\n')
      .map(text => text.trimEnd())
    expect(coloured).to.deep.equal(plain)
  })

  it("has everything of kvcached's screen", () => {
    const text = draw(stateAfter(...looks, key('enter')), {columns: 120, rows: 50}, ASCII)
    for (const part of ['KVCache Memory Usage', 'IPC', 'Prealloc', 'Used', 'Free', '/ 40.00 GB', 'q quit']) {
      expect(text).to.contain(part)
    }
    expect(text).to.match(/\[#+=+-+\]/)
  })

  it('counts the rows that do not fit, and keeps the selected one in sight', () => {
    const segments = Array.from({length: 50}, (_, at) => segmentFigures(`segment-${at}`, at))
    const look = {kind: 'look', look: monitorLook(0, hostLook({segments}))} as const
    const text = draw(stateAfter(look, key('2')), SIZES[1]!, UNICODE)
    expect(text).to.contain('segment-0 ').and.contain('+31 more')
    const end = draw(stateAfter(look, key('2'), key('end')), SIZES[1]!, UNICODE)
    expect(end).to.contain('▸segment-49').and.contain('+31 more')
  })

  it('tells what is missing instead of showing zeros', () => {
    const segments = [
      segmentFigures('gone', 0, {
        ...{limitBytes: null, usedBytes: null, preallocBytes: null, startupBytes: null},
        ...{state: 'missing', stateReason: "IPC 'gone' not found.", pid: null, owner: null},
      }),
    ]
    const devices = [deviceFigures(0, {utilizationPercent: null, powerWatts: null, memoryUsedBytes: null})]
    const look = {kind: 'look', look: monitorLook(0, hostLook({segments, devices}))} as const
    const [, , , segment = '', , , gpu = ''] = draw(stateAfter(look), {columns: 110, rows: 24}, ASCII).split(
      '\n',
    )
    expect(segment).to.match(/^>gone +\[-+\] +- +- +- +- +- missing/)
    expect(gpu).to.match(/0 +H100 80GB HBM3 \[-+\] +- +- 80\.0 GB +- +- +40C +- +ok/)
    const none = {
      kind: 'look',
      look: monitorLook(0, hostLook({devices: [], devicesMissing: 'no driver'})),
    } as const
    expect(draw(stateAfter(none), SIZES[1]!, ASCII)).to.contain('GPU memory info unavailable: no driver')
    expect(draw(FIRST_STATE, SIZES[1]!, ASCII)).to.contain('Initializing')
  })

  it('says of machines that never answered that nothing is known, and of others how old they are', () => {
    const trouble = 'http://a:1/segments cannot be reached: connection refused'
    const silent = hostLook({
      ...{
        host: 'http://a:1',
        takenAtMs: null,
        trouble,
        segments: [],
        devices: [],
        processes: [],
        engines: [],
      },
      ...{devicesMissing: 'http://a:1/vram cannot be reached'},
    })
    const draws = (...hosts: (typeof silent)[]): string =>
      draw(stateAfter({kind: 'look', look: monitorLook(9, ...hosts)}), SIZES[1]!, ASCII)
    const text = draws(silent)
    expect(text).to.contain('http://a:1 has not answered: cannot be reached: connection refused\n')
    expect(text.match(/^ unknown, as told above$/gm)).to.have.length(3)
    expect(draws({...silent, trouble: null}).match(/^ asking…$/gm)).to.have.length(3)
    const old = draws({...silent, takenAtMs: monitorLook(4).takenAtMs})
    expect(old).to.contain('http://a:1 is 5.0 s old: cannot be reached: connection refused\n')
    expect(old).to.contain('no active KVCached segments')
  })

  it('names at the foot what the selected row can be made to do, and how to drop the filter', () => {
    const foot = (...presses: string[]): string =>
      draw(
        stateAfter({kind: 'look', look: monitorLook(0)}, ...presses.map(name => key(name))),
        SIZES[2]!,
        ASCII,
      )
        .split('\n')
        .at(-1)!
    expect(foot('2')).to.contain('l limit  d delete  P prune').and.not.contain('sleep')
    expect(foot('3')).not.to.match(/limit|sleep/)
    expect(foot('4')).to.contain('s sleep  w wake')
    expect(foot('/', 'x', 'enter')).to.match(/^Filter: x {2}Esc drop {2}q quit/)
  })

  it('shows the worst reason of a throttled GPU first, in a few columns', () => {
    const devices = [
      deviceFigures(0, {
        throttleReasons: ['software_power_cap', 'hardware_thermal', 'software_thermal', '0x800'],
      }),
    ]
    const look = {kind: 'look', look: monitorLook(0, hostLook({devices}))} as const
    const text = draw(stateAfter(look, key('3'), key('enter')), {columns: 160, rows: 40}, ASCII)
    expect(text).to.match(/^>0 .* thermal, power cap, 0x800 /m)
    expect(text).to.contain('Throttled by   software_power_cap, hardware_thermal, software_thermal, 0x800')
    expect(text).to.match(/^ State {10}ok$/m)
  })
})
