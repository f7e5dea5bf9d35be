import {expect} from 'chai'
import type {MonitorActions, MonitorLook} from '../../../src/lib/monitor/index.js'
import {ASCII} from '../../../src/tui/draw/glyphs.js'
import {runKvtop} from '../../../src/tui/run-kvtop.js'
import {difference} from '../../../src/tui/terminal/frame-writer.js'
import {hostLook, monitorLook, segmentFigures} from '../../support/monitor-looks.js'
import {FakeTerminal} from '../../support/terminal.js'
import {until} from '../../support/until.js'

interface Screen {
  readonly terminal: FakeTerminal
  readonly ended: Promise<void>
  show(look: MonitorLook): void
  end(): void
}

const NO_ACTIONS: MonitorActions = {
  setLimit: () => Promise.reject(new Error('not here')),
  remove: () => Promise.reject(new Error('not here')),
  prune: () => Promise.reject(new Error('not here')),
  order: () => Promise.reject(new Error('not here')),
}

describe('the screen of kvtop', () => {
  const screens: Screen[] = []

  const open = (columns: number, rows: number, hasColor = false): Screen => {
    const terminal = new FakeTerminal(columns, rows)
    const end = new AbortController()
    let show: (look: MonitorLook) => void = () => undefined
    const ended = runKvtop({
      stdin: terminal.keyboard as unknown as NodeJS.ReadStream,
      stdout: terminal,
      looks: async onLook => {
        show = onLook
      },
      actions: NO_ACTIONS,
      glyphs: ASCII,
      hasColor,
      facts: {intervalMs: 1000, note: null},
      hasMouse: true,
      signal: end.signal,
    })
    const screen = {terminal, ended, show: (look: MonitorLook) => show(look), end: () => end.abort()}
    screens.push(screen)
    return screen
  }
  const shows = async ({terminal}: Screen, text: string | RegExp): Promise<void> =>
    until(
      () => (typeof text === 'string' ? terminal.screen.includes(text) : text.test(terminal.screen)),
      () => terminal.screen,
    )

  /** A screen that draws a look. */
  const opened = async (text: string, look = monitorLook()): Promise<Screen> => {
    const screen = open(80, 24)
    await shows(screen, 'Initializing')
    screen.show(look)
    await shows(screen, text)
    return screen
  }

  afterEach(async () => {
    for (const screen of screens.splice(0)) {
      screen.end()
      await screen.ended
    }
  })

  it('draws looks, answers keys, and leaves the terminal as it was', async () => {
    const screen = await opened('>kvcached_vLLM_12345')
    screen.terminal.keyboard.type('j')
    await shows(screen, '>kvcached_SGLang_777')
    screen.terminal.keyboard.type('\u001B[A')
    await shows(screen, '>kvcached_vLLM_12345')
    screen.terminal.keyboard.type('?')
    await shows(screen, 'show or hide this help')
    screen.terminal.keyboard.type('x')
    await shows(screen, '>kvcached_vLLM_12345')
    expect(screen.terminal.keyboard.isRaw).to.equal(true)
    screen.terminal.keyboard.type('q')
    await screen.ended
    expect(screen.terminal.keyboard.isRaw).to.equal(false)
    expect(screen.terminal.written).to.match(/^\u001B\[\?1049h\u001B\[\?25l/)
    expect(screen.terminal.written).to.match(/\u001B\[\?1000l\u001B\[0m\u001B\[\?25h\u001B\[\?1049l$/)
  })

  it('takes clicks on rows, headings and tabs, and the wheel', async () => {
    const screen = await opened('>kvcached_vLLM_12345')
    const click = (column: number, row: number): void =>
      screen.terminal.keyboard.type(`\u001B[<0;${column};${row}M\u001B[<0;${column};${row}m`)
    click(10, 6)
    await shows(screen, '>left-behind')
    click(3, 3)
    await shows(screen, 'Segment^')
    click(20, 2)
    await shows(screen, '[3 GPU 3]')
    screen.terminal.keyboard.type('\u001B[<65;1;1M')
    await shows(screen, '>2 ')
  })

  it('draws anew at the size that its window gets, and goes on', async () => {
    const screen = await opened('q quit')
    screen.terminal.resize(40, 10)
    await shows(screen, '[1 Overview] 2  3 ')
    expect(screen.terminal.screen).to.not.contain('stale\n')
    expect(screen.terminal.screen.split('\n')).to.have.length(10)
    screen.terminal.resize(120, 40)
    await shows(screen, '[1 Overview]')
  })

  it('does what was confirmed, and tells of a failure', async () => {
    const screen = await opened('>kvcached_vLLM_12345')
    screen.terminal.keyboard.type('P')
    await shows(screen, 'proven dead (1 of 3 look so)?')
    screen.terminal.keyboard.type('y')
    await shows(screen, 'not here')
  })

  it('sends only what changed', async () => {
    const screen = await opened('12:00:00', monitorLook(0))
    const before = screen.terminal.written.length
    screen.show(monitorLook(1))
    await shows(screen, '12:00:01')
    expect(screen.terminal.written.length - before).to.be.lessThan(120)
  }).timeout(10_000)

  it('waits with a slow terminal, and then shows the newest frame', async () => {
    const screen = open(80, 24)
    await shows(screen, 'Initializing')
    screen.terminal.writableNeedDrain = true
    for (let at = 0; at < 5; at++)
      screen.show(monitorLook(at, hostLook({segments: [segmentFigures(`look-${at}`, 1)]})))
    await new Promise(resolve => setImmediate(resolve))
    expect(screen.terminal.screen).to.contain('Initializing')
    screen.terminal.writableNeedDrain = false
    screen.terminal.emit('drain')
    await shows(screen, 'look-4')
    expect(screen.terminal.written).to.not.contain('look-2')
  })

  it('ends with its signal, and with the failure of what it looks at', async () => {
    const screen = open(80, 24)
    await shows(screen, 'Initializing')
    screen.end()
    await screen.ended
    const terminal = new FakeTerminal(80, 24)
    const failed = runKvtop({
      stdin: terminal.keyboard as unknown as NodeJS.ReadStream,
      stdout: terminal,
      looks: async () => {
        throw new Error('boom')
      },
      actions: NO_ACTIONS,
      glyphs: ASCII,
      hasColor: true,
      facts: {intervalMs: 1000, note: null},
      hasMouse: false,
      signal: new AbortController().signal,
    })
    const error: unknown = await failed.catch((error: unknown) => error)
    expect(error).to.have.property('message', 'boom')
    expect(terminal.written).to.match(/\u001B\[\?1049l$/)
  })
})

describe('the difference of two frames', () => {
  it('is each changed line at its place, and nothing for equal ones', () => {
    expect(difference(['a', 'b'], ['a', 'b'], 5)).to.equal('')
    expect(difference(['a', 'b'], ['a', 'c'], 5)).to.equal('\u001B[2;1H\u001B[2Kc')
  })

  it('erases what a shorter frame leaves below, but never the last line of the terminal', () => {
    expect(difference(['a', 'b'], ['a'], 5)).to.equal('\u001B[2;1H\u001B[J')
    expect(difference(null, ['a', 'b'], 2)).to.equal('\u001B[1;1H\u001B[2Ka\u001B[2;1H\u001B[2Kb')
  })
})
