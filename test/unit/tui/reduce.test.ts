import {expect} from 'chai'
import {arrangeTables, focusedTable} from '../../../src/tui/state/arrange.js'
import {extendHistory} from '../../../src/tui/state/history.js'
import {KEYS, type Intent} from '../../../src/tui/state/keys.js'
import {reduce, type KvtopEvent} from '../../../src/tui/state/reduce.js'
import {FIRST_STATE, type KvtopState} from '../../../src/tui/state/state.js'
import {hostLook, monitorLook, segmentFigures} from '../../support/monitor-looks.js'

const key = (name: string, text = name.length === 1 ? name : ''): KvtopEvent => ({
  kind: 'key',
  key: name,
  text,
})
const segments = ['b', 'a', 'd', 'c'].map((name, at) => segmentFigures(name, 20 * at))
const START = reduce(FIRST_STATE, {kind: 'look', look: monitorLook(0, hostLook({segments}))})

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
    expect(pressing('help').dialog).to.deep.equal({kind: 'help'})
    expect(pressing('help', '?').dialog).to.equal(null)
  },
  overview: () => expect(pressing('overview', '3').view).to.equal('overview'),
  segments: () => expect(pressing('segments').view).to.equal('segments'),
  gpus: () => expect(pressing('gpus').view).to.equal('gpus'),
  processes: () => expect(pressing('processes').view).to.equal('processes'),
  'next-table'() {
    expect(pressing('next-table')).to.include({view: 'overview', focus: 'gpus'})
    expect(pressing('next-table', '4')).to.include({view: 'segments'})
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
  it('grows with each look, forgets what is gone, and is bounded', () => {
    let history = extendHistory(new Map(), monitorLook())
    expect([...history.values()].every(values => values.length === 1)).to.equal(true)
    history = extendHistory(history, monitorLook(1, hostLook({segments: [segments[1]!], devices: []})))
    expect([...history]).to.deep.equal([['gpu-box\nsegment\na', [20]]])
    for (let at = 0; at < 1000; at++) history = extendHistory(history, monitorLook(at))
    expect(Math.max(...[...history.values()].map(values => values.length))).to.equal(300)
  })

  it('has a gap where a figure was unknown', () => {
    const unknown = segmentFigures('a', 0, {limitBytes: null})
    const look = monitorLook(0, hostLook({segments: [unknown], devices: []}))
    expect([...extendHistory(new Map(), look).values()]).to.deep.equal([[null]])
  })
})
