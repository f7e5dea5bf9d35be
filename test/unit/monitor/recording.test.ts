import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {VirtualClock} from '../../../src/lib/foundation/index.js'
import {createRecorder, readRecording, replay, type MonitorLook} from '../../../src/lib/monitor/index.js'
import {drawFrame} from '../../../src/tui/draw/frame.js'
import {UNICODE} from '../../../src/tui/draw/glyphs.js'
import {reduce} from '../../../src/tui/state/reduce.js'
import {FIRST_STATE} from '../../../src/tui/state/state.js'
import {hostLook, monitorLook, segmentFigures} from '../../support/monitor-looks.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

/** Every frame that a run of these looks draws. */
function framesOf(looks: readonly MonitorLook[]): string[] {
  let state = FIRST_STATE
  return looks.map(look => {
    state = reduce(state, {kind: 'look', look})
    const frame = drawFrame(state, {columns: 120, rows: 30}, UNICODE, {intervalMs: 1000, note: null})
    return JSON.stringify(frame)
  })
}

describe('a recording', () => {
  const folder = temporaryFolder()
  const path = (): string => join(folder(), 'looks.jsonl')
  const looks = Array.from({length: 60}, (_, at) =>
    monitorLook(
      at,
      hostLook({
        segments: [segmentFigures('vllm-0', at, {usedBytes: at * 1_000_003})],
        trouble: at > 50 ? 'gone' : null,
      }),
    ),
  )
  const record = (): void => {
    const recorder = createRecorder(path())
    for (const look of looks) recorder.add(look)
    recorder.close()
  }

  it('of a minute gives the same frames again, at the pace at which they were taken or faster', async () => {
    record()
    for (const pace of [1, 10]) {
      const clock = new VirtualClock()
      const shown: MonitorLook[] = []
      await replay(path(), pace, look => shown.push(look), clock, new AbortController().signal)
      expect(shown).to.deep.equal(looks)
      expect(framesOf(shown)).to.deep.equal(framesOf(looks))
      expect(clock.nowNs()).to.equal((59 * 1e9) / pace)
    }
  })

  it('ends when it is told to', async () => {
    record()
    const end = new AbortController()
    const shown: MonitorLook[] = []
    const show = (look: MonitorLook): void => {
      shown.push(look)
      if (shown.length === 3) end.abort()
    }
    await replay(path(), 1, show, new VirtualClock(), end.signal)
    expect(shown).to.have.length(3)
  })

  it('that was cut short is shown up to there', async () => {
    record()
    writeFileSync(path(), readFileSync(path(), 'utf8').slice(0, -100))
    const shown: MonitorLook[] = []
    for await (const look of readRecording(path())) shown.push(look)
    expect(shown).to.deep.equal(looks.slice(0, -1))
  })

  it('that is none is refused, with the line', async () => {
    const read = async (): Promise<void> => {
      for await (const look of readRecording(path())) expect(look).to.be.an('object')
    }
    expect(await rejection(read())).to.have.property('code', 'RECORDING_UNREADABLE')
    writeFileSync(path(), '{"schema_version":2}\n')
    expect(await rejection(read()))
      .to.have.property('message')
      .match(/line 1 .*schema_version/)
    const line = JSON.stringify({
      schema_version: 1,
      time: '2026-01-01T00:00:00Z',
      hosts: [{host: 'a', segments: [{}]}],
    })
    writeFileSync(path(), `${line}\n`)
    expect(await rejection(read()))
      .to.have.property('message')
      .match(/line 1 .*"name" in "segments"/)
    writeFileSync(path(), '')
    const none = replay(path(), 1, () => undefined, new VirtualClock(), new AbortController().signal)
    expect(await rejection(none))
      .to.have.property('message')
      .match(/no look/)
    writeFileSync(path(), `not JSON\n${line}\n`)
    expect(await rejection(read()))
      .to.have.property('message')
      .match(/line 1 .*not JSON/)
  })

  it('never overwrites a file', () => {
    writeFileSync(path(), 'mine')
    expect(() => createRecorder(path()))
      .to.throw('it exists already')
      .with.property('code', 'RECORDING_UNWRITABLE')
    expect(() => createRecorder(join(folder(), 'none/looks'))).to.throw('none/looks')
  })
})
