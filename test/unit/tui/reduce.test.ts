import {expect} from 'chai'
import {arrangeTables, focusedTable} from '../../../src/tui/state/arrange.js'
import {extendHistory, pastOf, type History} from '../../../src/tui/state/history.js'
import {KEYS, type Intent} from '../../../src/tui/state/keys.js'
import {reduce, type KvtopEvent} from '../../../src/tui/state/reduce.js'
import {FIRST_STATE, type KvtopState} from '../../../src/tui/state/state.js'
import {
  engineFigures,
  hostLook,
  modelFigures,
  monitorLook,
  segmentFigures,
  tierFigures,
} from '../../support/monitor-looks.js'

const key = (name: string, text = name.length === 1 ? name : ''): KvtopEvent => ({
  kind: 'key',
  key: name,
  text,
})
const GIB = 2n ** 30n
const segments = ['b', 'a', 'd', 'c'].map((name, at) => segmentFigures(name, 20 * at))
const START = reduce(FIRST_STATE, {kind: 'look', look: monitorLook(0, hostLook({segments}))})
/** With everything that kvtop can show. */
const FULL = reduce(FIRST_STATE, {
  kind: 'look',
  look: monitorLook(
    0,
    hostLook({
      engines: [
        engineFigures(8000, {running: 0, waiting: 0}),
        engineFigures(8001, {model: 'busy'}),
        engineFigures(8002, {model: 'asleep', state: 'asleep', running: 0, waiting: 0}),
      ],
      tiers: [tierFigures('LocalCPUBackend')],
      models: [modelFigures('m', {inFlight: 0, waiting: 0})],
    }),
  ),
})

const after = (...keys: string[]): KvtopState => keys.map(name => key(name)).reduce(reduce, START)
const names = (state: KvtopState): string =>
  arrangeTables(state)[0]!
    .rows.map(row => row.segment!.name)
    .join('')
const selected = (state: KvtopState): string | undefined => {
  const table = focusedTable(state, arrangeTables(state))
  return table.rows[table.selectedAt]?.segment?.name
}
/** The intent's first key after some others, and each other key of it does the same. */
const pressing = (intent: Intent, ...before: string[]): KvtopState => {
  const {keys} = KEYS.find(binding => binding.intent === intent)!
  const [first, ...others] = keys.map(name => after(...before, name))
  for (const other of others) expect(other).to.deep.equal(first)
  return first!
}

/** What each key does. A key without a line here does not pass: see the first test. */
const DOES: Readonly<Record<Intent, () => void>> = {
  quit: () => expect(pressing('quit').hasQuit).to.equal(true),
  help() {
    expect(pressing('help').dialog).to.deep.equal({kind: 'help', from: 0})
    expect(pressing('down', '?').dialog).to.deep.equal({kind: 'help', from: 1})
    expect(pressing('first', '?', 'end').dialog).to.deep.equal({kind: 'help', from: 0})
    expect(pressing('help', '?').dialog).to.equal(null)
  },
  overview: () => expect(pressing('overview', '3').view).to.equal('overview'),
  segments: () => expect(pressing('segments').view).to.equal('segments'),
  gpus: () => expect(pressing('gpus').view).to.equal('gpus'),
  engines: () => expect(pressing('engines').view).to.equal('engines'),
  processes: () => expect(pressing('processes').view).to.equal('processes'),
  tiers: () => expect(pressing('tiers').view).to.equal('tiers'),
  models: () => expect(pressing('models').view).to.equal('models'),
  'next-table'() {
    expect(pressing('next-table')).to.include({view: 'overview', focus: 'gpus'})
    expect(pressing('next-table', '7')).to.include({view: 'segments'})
    expect(pressing('next-table', 'tab', 'tab', 'tab')).to.include({focus: 'segments'})
  },
  'previous-table': () => expect(pressing('previous-table').focus).to.equal('processes'),
  up() {
    expect(selected(pressing('up', 'down', 'down'))).to.equal('a')
    expect(selected(pressing('up'))).to.equal('b')
  },
  down() {
    expect(selected(pressing('down'))).to.equal('a')
    expect(selected(pressing('down', 'end'))).to.equal('c')
  },
  'page-up': () => expect(selected(pressing('page-up', 'end'))).to.equal('b'),
  'page-down': () => expect(selected(pressing('page-down'))).to.equal('c'),
  first: () => expect(selected(pressing('first', 'end'))).to.equal('b'),
  last: () => expect(selected(pressing('last'))).to.equal('c'),
  'sort-next': () => expect(names(pressing('sort-next'))).to.equal('abcd'),
  'sort-previous': () => expect(names(pressing('sort-previous', '>', '>'))).to.equal('abcd'),
  'sort-reverse'() {
    expect(names(pressing('sort-reverse', '>'))).to.equal('dcba')
    expect(names(pressing('sort-reverse'))).to.equal('dcba')
  },
  filter: () => expect(pressing('filter').dialog).to.deep.equal({kind: 'filter', before: ''}),
  details() {
    expect(pressing('details').hasDetails).to.equal(true)
    expect(pressing('details', 'enter').hasDetails).to.equal(false)
  },
  pause() {
    const paused = pressing('pause')
    const later = reduce(paused, {kind: 'look', look: monitorLook(1)})
    expect(later.look).to.equal(paused.look)
    expect(later.history).to.not.equal(paused.history)
    expect(reduce(reduce(later, key('p')), {kind: 'look', look: monitorLook(2)}).look!.takenAtMs).to.equal(
      monitorLook(2).takenAtMs,
    )
  },
  limit() {
    expect(pressing('limit', 'down').dialog).to.deep.include({kind: 'limit', text: '', problem: null})
    expect(pressing('limit', '3').message).to.deep.include({tone: 'warn'})
    const ofEngine = ['4', 'l'].map(name => key(name)).reduce(reduce, FULL).dialog
    expect(ofEngine).to.have.nested.property('segment.name', 'kvcached_vLLM_12345')
  },
  restore: () =>
    expect(pressing('restore').dialog)
      .to.have.property('question')
      .match(/limit of b .*start-up total/),
  delete: () =>
    expect(pressing('delete', 'down').dialog)
      .to.have.property('question')
      .match(/^Delete segment a \(live: /),
  prune: () =>
    expect(pressing('prune').dialog)
      .to.have.property('question')
      .match(/0 of 4 look so/),
  sleep() {
    expect(pressing('sleep').message).to.deep.include({tone: 'warn'})
    const asked = reduce(reduce(FULL, key('4')), key('s'))
    expect(asked.dialog)
      .to.have.property('question')
      .match(/^Put Qwen\/Qwen3-8B at http:\/\/127\.0\.0\.1:8000 to sleep .*\?$/)
  },
  wake() {
    expect(pressing('wake').message).to.deep.include({tone: 'warn'})
    const asked = ['4', 'down', 'down', 'w'].map(name => key(name)).reduce(reduce, FULL)
    expect(asked.dialog)
      .to.have.property('question')
      .match(/^Wake asleep at http:\/\/127\.0\.0\.1:8002\?$/)
  },
  undo: () =>
    expect(pressing('undo').message).to.deep.equal({text: 'there is nothing to take back', tone: 'warn'}),
  back() {
    expect(pressing('back', '/', 'd', 'enter').filter).to.equal('')
    expect(pressing('back', 'enter').hasDetails).to.equal(false)
  },
}

describe('a key of kvtop', () => {
  it('has one meaning', () => {
    const keys = KEYS.flatMap(binding => binding.keys)
    expect(new Set(keys).size).to.equal(keys.length)
  })

  for (const {intent, keys} of KEYS) it(`${intent}: ${keys.join(', ')}`, () => DOES[intent]())

  it('that means nothing changes nothing', () => {
    expect(after('Z')).to.equal(START)
    expect(after('left')).to.equal(START)
  })

  it('ends it from anywhere with Ctrl-C, and types in a filter', () => {
    expect(after('/', 'ctrl-c').hasQuit).to.equal(true)
    expect(after('?', 'ctrl-c').hasQuit).to.equal(true)
    expect(after('/', 'q')).to.include({hasQuit: false, filter: 'q'})
  })
})

describe('an action', () => {
  const type = (state: KvtopState, text: string): KvtopState =>
    Array.from(text, character => key(character, character)).reduce(reduce, state)
  const press = (state: KvtopState, name: string): KvtopState => reduce(state, key(name))
  const limited = (state: KvtopState, beforeBytes: bigint, limitBytes: bigint): KvtopState =>
    reduce(state, {
      kind: 'acted',
      request: state.action!,
      result: {
        kind: 'limit',
        change: {
          ...{name: 'b', limitBytes, startupBytes: 40n * GIB, outcome: 'applied', explanation: null},
          before: {limitBytes: beforeBytes, usedBytes: 0n, preallocBytes: 0n},
        },
      },
    })

  it('is asked about in words, and done by y alone', () => {
    const asked = press(type(after('l'), '8G'), 'enter')
    expect(asked.dialog).to.deep.include({
      kind: 'confirm',
      question: 'Set the limit of b from 40.00 GB to 8.00 GB?',
    })
    for (const other of ['n', 'enter', 'escape', 'space', 'q']) {
      expect(press(asked, other)).to.deep.include({dialog: null, action: null, hasQuit: false})
    }
    expect(press(asked, 'y').action).to.deep.equal({
      ...{kind: 'limit', host: 'gpu-box', name: 'b', isUndo: false},
      request: {limitBytes: 8n * GIB, isForced: false},
    })
  })

  it('is refused as kvctl limit refuses it, and can then be corrected', () => {
    const tooMuch = press(type(after('l'), '41G'), 'enter')
    expect(tooMuch.dialog)
      .to.have.property('problem')
      .match(/above the start-up total/)
    const typed = type(press(press(press(tooMuch, 'backspace'), 'backspace'), 'backspace'), '9G')
    expect(typed.dialog).to.include({text: '9G', problem: null})
    for (const [text, why] of [
      ['plenty', /'plenty' is not a size/],
      ['0', /ignored by the engine/],
      ['-1G', /ignored by the engine/],
    ] as const) {
      expect(press(type(after('l'), text), 'enter').dialog)
        .to.have.property('problem')
        .match(why)
    }
    expect(press(after('l'), 'enter').dialog).to.equal(null)
    expect(press(type(after('l'), 'restore'), 'enter').dialog)
      .to.have.property('question')
      .match(/start-up/)
  })

  it('is one at a time', () => {
    const busy = press(press(after('d'), 'y'), 'l')
    expect([busy.dialog, busy.message?.text]).to.deep.equal([null, 'the last action is not done yet'])
  })

  it('that changed a limit can be taken back, once, with a question', () => {
    const done = limited(press(press(type(after('l'), '8G'), 'enter'), 'y'), 20n * GIB, 8n * GIB)
    expect(done).to.deep.include({
      action: null,
      message: {text: 'Limit of b is 8.00 GB, applied.', tone: 'good'},
    })
    const asked = press(done, 'u')
    expect(asked.dialog)
      .to.have.property('question')
      .match(/^Take back: set the limit of b .* to 20\.00 GB\?/)
    const undone = limited(press(asked, 'y'), 8n * GIB, 20n * GIB)
    expect(undone.undo).to.deep.equal([])
    expect(press(undone, 'u').message?.text).to.equal('there is nothing to take back')
  })

  it('takes the start-up total back in the form that engines act on', () => {
    for (const before of [40n * GIB, 40n * GIB + 4096n]) {
      const {undo} = limited(press(press(type(after('l'), '8G'), 'enter'), 'y'), before, 8n * GIB)
      expect(undo).to.have.length(1)
      expect(undo[0]).to.deep.include({isUndo: true, request: {limitBytes: null, isForced: false}})
    }
  })

  it('of sleep and wake refuses what is so already, and what would abort requests', () => {
    const saying = (...names: string[]): string | undefined =>
      names.map(name => key(name)).reduce(reduce, FULL).message?.text
    expect(saying('4', 'w')).to.equal('Qwen/Qwen3-8B is awake already')
    expect(saying('4', 'down', 's')).to.equal('busy has 15 requests, which sleep would abort')
    expect(saying('4', 'down', 'down', 's')).to.equal('asleep is asleep already')
    expect(saying('6', 's')).to.equal('select an engine or a model that answers first')
  })

  it('that put a model to sleep can be taken back at once and later, until it is gone', () => {
    const asked = ['7', 's', 'y'].map(name => key(name)).reduce(reduce, FULL)
    expect(asked.action).to.deep.equal({
      ...{kind: 'sleep', host: 'gpu-box', isUndo: false},
      sleeper: {kind: 'model', name: 'm', controller: 'http://127.0.0.1:6767'},
    })
    const done = reduce(asked, {kind: 'acted', request: asked.action!, result: {kind: 'obeyed'}})
    expect(done.message).to.deep.equal({text: 'm is asleep.', tone: 'good'})
    // Before the next look it still seems awake.
    expect(press(done, 'u').dialog)
      .to.have.property('question')
      .match(/^Take back: Wake m\?/)
    const models = [modelFigures('m', {phase: 'asleep'})]
    const later = reduce(done, {kind: 'look', look: monitorLook(1, hostLook({models}))})
    const back = press(press(later, 'u'), 'y')
    expect(back.action).to.deep.include({kind: 'wake', isUndo: true})
    const undone = reduce(back, {kind: 'acted', request: back.action!, result: {kind: 'obeyed'}})
    expect(undone.undo).to.deep.equal([])
    const gone = reduce(done, {kind: 'look', look: monitorLook(1)})
    expect(press(gone, 'u')).to.deep.include({undo: []})
  })

  it('that failed says why, and leaves nothing to take back', () => {
    const pending = press(press(after('d'), 'y'), 'x')
    const error = new Error("segment 'b' may have a living engine")
    const failed = reduce(pending, {kind: 'acted', request: pending.action!, result: {kind: 'failed', error}})
    expect(failed).to.deep.include({action: null, message: {text: error.message, tone: 'bad'}, undo: []})
    expect(press(failed, 'j').message).to.equal(null)
  })

  it('on a segment that is gone meanwhile is refused', () => {
    const done = limited(press(press(type(after('l'), '8G'), 'enter'), 'y'), 20n * GIB, 8n * GIB)
    const gone = reduce(done, {kind: 'look', look: monitorLook(2, hostLook({segments: []}))})
    expect(press(gone, 'u')).to.deep.include({
      dialog: null,
      message: {text: 'b is gone', tone: 'warn'},
      undo: [],
    })
  })
})

describe('the filter', () => {
  it('keeps rows that have every word, in any letters, while it is typed', () => {
    const typed = [key('/'), key('A'), key('space', ' '), key('x', 'live')].reduce(reduce, START)
    expect(typed.filter).to.equal('A live')
    expect(names(typed)).to.equal('a')
  })

  it('is kept by Enter, dropped by Escape, shortened by Backspace, emptied by Ctrl-U', () => {
    const state = after('/', 'd', 'enter')
    expect(state).to.include({filter: 'd', dialog: null})
    const again = [key('/'), key('x'), key('escape')].reduce(reduce, state)
    expect(again).to.include({filter: 'd', dialog: null})
    expect(after('/', 'd', 'e', 'backspace').filter).to.equal('d')
    expect(after('/', 'd', 'e', 'ctrl-u').filter).to.equal('')
  })

  it('moves the selection to what is left', () => {
    expect(selected(after('down', '/', 'd', 'enter'))).to.equal('d')
  })
})

describe('order', () => {
  it('is by size for numbers, with unknown ones last either way', () => {
    const unknown = segmentFigures('x', 0, {limitBytes: null, usedBytes: null, preallocBytes: null})
    const look = monitorLook(0, hostLook({segments: [unknown, ...segments]}))
    const state = reduce(FIRST_STATE, {kind: 'look', look})
    const byUse = reduce(state, {kind: 'sort', table: 'segments', column: 'used'})
    expect(names(byUse)).to.equal('badcx')
    expect(names(reduce(byUse, {kind: 'sort', table: 'segments', column: 'used'}))).to.equal('cdabx')
  })

  it('keeps the selected row selected', () => {
    const state = after('down', 'down', '>')
    expect([names(state), selected(state)]).to.deep.equal(['abcd', 'd'])
  })
})

describe('the mouse', () => {
  it('selects, changes the view and scrolls', () => {
    const rows = arrangeTables(START)[0]!.rows
    const clicked = reduce(START, {kind: 'select', table: 'segments', key: rows[2]!.key})
    expect(selected(clicked)).to.equal('d')
    expect(reduce(START, {kind: 'show', view: 'gpus'}).view).to.equal('gpus')
    expect(selected(reduce(START, {kind: 'wheel', by: 1}))).to.equal('c')
  })
})

describe('the history', () => {
  const keysOf = (history: History): string[] => [...history.keys()]

  it('grows with each look, oldest first, and forgets what is gone', () => {
    let history = extendHistory(new Map(), monitorLook())
    expect(keysOf(history).every(key => pastOf(history, key).length === 1)).to.equal(true)
    history = extendHistory(
      history,
      monitorLook(1, hostLook({segments: [segments[1]!], devices: [], engines: []})),
    )
    expect(keysOf(history)).to.deep.equal(['gpu-box\nsegment\na'])
    expect(pastOf(history, 'gpu-box\nsegment\na')).to.deep.equal([20])
    expect(pastOf(history, 'gpu-box\nsegment\nb')).to.deep.equal([])
  })

  it('keeps the last 300 looks, and none that was drawn before changes', () => {
    const kept: number[][] = []
    let history: History = new Map()
    const earlier: [History, number][] = []
    for (let at = 1; at <= 1000; at++) {
      const segment = segmentFigures('a', 0, {usedBytes: at, preallocBytes: 0, limitBytes: 100_000})
      history = extendHistory(
        history,
        monitorLook(at, hostLook({segments: [segment], devices: [], engines: []})),
      )
      kept.push(pastOf(history, 'gpu-box\nsegment\na').map(value => Math.round(value! * 1000)))
      if (at % 50 === 7) earlier.push([history, at])
    }
    for (const [index, values] of kept.entries()) {
      const last = index + 1
      const first = Math.max(1, last - 299)
      expect(values).to.deep.equal(Array.from({length: last - first + 1}, (_, at) => first + at))
    }
    for (const [before, at] of earlier)
      expect(pastOf(before, 'gpu-box\nsegment\na').map(value => Math.round(value! * 1000))).to.deep.equal(
        kept[at - 1],
      )
  })

  it('has a gap where a figure was unknown', () => {
    const unknown = segmentFigures('a', 0, {limitBytes: null})
    const look = monitorLook(0, hostLook({segments: [unknown], devices: [], engines: []}))
    const history = extendHistory(new Map(), look)
    expect(keysOf(history).map(key => pastOf(history, key))).to.deep.equal([[null]])
  })
})
