import {expect} from 'chai'
import {createProcessView, type TableAge} from '../../../src/lib/segments/sightings.js'

describe('the view of the process table', () => {
  const title = process.title
  let nowNs = 0
  const clock = {nowNs: () => nowNs, sleep: async () => undefined}
  const own = (view: ReturnType<typeof createProcessView>, age: TableAge): string =>
    view(age).processes.find(({pid}) => pid === process.pid)!.title

  beforeEach(() => {
    process.title = 'first'
  })
  after(() => {
    process.title = title
  })

  it('tells what a process is as it was, for as long as that may be, also when the table is read again', () => {
    const view = createProcessView(clock)
    const age = {tableMs: 10, factsMs: 50}
    expect(own(view, age)).to.equal('first')
    process.title = 'second'
    nowNs += 20e6
    expect(own(view, age)).to.equal('first')
    nowNs += 31e6
    expect(own(view, age)).to.equal('second')
  })

  it('has new facts for who needs them, whatever was read a moment ago', () => {
    const view = createProcessView(clock)
    own(view, {tableMs: 10, factsMs: 50})
    process.title = 'second'
    nowNs += 20e6
    own(view, {tableMs: 10, factsMs: 50})
    nowNs += 5e6
    expect(own(view, {tableMs: 10, factsMs: 10})).to.equal('second')
  })
})
