import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {systemClock} from '../../../src/lib/foundation/index.js'
import {
  createRecorder,
  readRecording,
  SideWatch,
  watchHosts,
  watchLocalHost,
  type MachineWithSides,
  type MonitorLook,
} from '../../../src/lib/monitor/index.js'
import {drawFrame} from '../../../src/tui/draw/frame.js'
import {UNICODE} from '../../../src/tui/draw/glyphs.js'
import {reduce} from '../../../src/tui/state/reduce.js'
import {FIRST_STATE} from '../../../src/tui/state/state.js'
import {engine, knownGpu, machineLook, pool, tenant} from '../../support/machine-look.js'
import {modelFigures, tierFigures} from '../../support/monitor-looks.js'
import {GIB, segmentFolder, type SegmentFolder} from '../../support/segments.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('this machine on the screen', () => {
  const temporary = temporaryFolder()
  const {signal} = new AbortController()
  let folder: SegmentFolder
  let asked: number

  /** A machine with a GPU, an engine whose counters grow with each look, a tier and a model. */
  const machine = async (): Promise<MachineWithSides> => ({
    async look() {
      asked++
      const figures = {
        ...{running: asked, waiting: 0, kvCacheUsage: 0.25, preemptions: 2, promptTokens: 0},
        ...{generationTokens: 100 * asked, prefixCacheQueries: 200, prefixCacheHits: 50},
        ...{firstTokens: asked, firstTokenSeconds: 0.5 * asked},
      }
      const readAtMs = 1000 * asked
      return machineLook(
        [knownGpu(0, {memoryTotalBytes: 100, memoryUsedBytes: 40}, [tenant(7, 30, {podUid: 'pod'})])],
        [engine([pool(100, 0.25)], {pids: [6, 7], gpuIndexes: [0], figures, readAtMs, segment: 'vllm-0'})],
      )
    },
    tiers: [new SideWatch(async () => [tierFigures('LocalCPUBackend')], systemClock)],
    models: [new SideWatch(async () => [modelFigures('m')], systemClock)],
  })
  const watch = (...names: string[]): ReturnType<typeof watchLocalHost> =>
    watchLocalHost({host: 'here', segments: folder.store, machine}, names)

  beforeEach(() => {
    folder = segmentFolder()
    folder.put('vllm-0', 8n * GIB, 2n * GIB)
    asked = 0
  })
  afterEach(() => folder.remove())

  it('shows its segments at once, and asks nobody else before that', async () => {
    const first = await watch().look(0, signal)
    expect(first.segments).to.have.length(1)
    expect([asked, first.devices, first.devicesMissing, first.engines]).to.deep.equal([0, [], null, []])
  })

  it('joins processes to engine and model, and tells how fast the engine is', async () => {
    const watched = watch()
    await watched.look(5000, signal)
    const look = await watched.look(5000, signal)
    expect(look.engines).to.have.length(1)
    expect(look.engines[0]).to.deep.include({
      ...{running: 2, kvUsagePercent: 25, hitPercent: 25, preemptions: 2, devices: ['0']},
      ...{generationTokensPerSecond: 100, promptTokensPerSecond: 0, ttftMs: 500},
    })
    expect(look.processes[0]).to.include({
      ...{pid: 7, device: '0', podUid: 'pod', engine: 'http://localhost:8000', model: 'm'},
    })
    expect(look.tiers.map(({name}) => name)).to.deep.equal(['LocalCPUBackend'])
    expect(look.models.map(({name}) => name)).to.deep.equal(['m'])
  })

  it('shows the segments that were named, and which of them is missing', async () => {
    folder.put('other', GIB)
    const {segments} = await watch('vllm-0', 'none-such').look(5000, signal)
    expect(segments.map(({name, state}) => [name, state === 'missing'])).to.deep.equal([
      ['vllm-0', false],
      ['none-such', true],
    ])
  })

  it('gives frame by frame the same again when it was recorded', async () => {
    const path = join(temporary(), 'looks.jsonl')
    const recorder = createRecorder(path)
    const looks: MonitorLook[] = []
    const end = new AbortController()
    const show = (look: MonitorLook): void => {
      recorder.add(look)
      looks.push(look)
      folder.put('vllm-0', 8n * GIB, BigInt(looks.length) << 26n)
      if (looks.length % 3 === 0) folder.put(`guest-${looks.length}`, GIB)
      if (looks.length === 60) end.abort()
    }
    await watchHosts([watch()], 1, show, systemClock, end.signal)
    recorder.close()
    expect(readFileSync(path, 'utf8').trimEnd().split('\n')).to.have.length(60)
    const again: MonitorLook[] = []
    for await (const look of readRecording(path)) again.push(look)
    expect(framesOf(again)).to.deep.equal(framesOf(looks))
    expect(new Set(framesOf(looks)).size).to.be.greaterThan(30)
  })
})

/** Every frame that a run of these looks draws. */
function framesOf(looks: readonly MonitorLook[]): string[] {
  let state = FIRST_STATE
  return looks.map(look => {
    state = reduce(state, {kind: 'look', look})
    return JSON.stringify(drawFrame(state, {columns: 200, rows: 60}, UNICODE, {intervalMs: 1000, note: null}))
  })
}
