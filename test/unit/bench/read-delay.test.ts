import {expect} from 'chai'
import {ReadDelays, readDelayMs} from '../../../src/lib/bench/read-delay.js'
import {openRunDelay} from '../../../src/lib/processes/index.js'

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

function keepBusy(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs) continue
}

describe('the bound of how late a read is', () => {
  const first = {sinceTurnMs: 0, sincePollMs: 30, sleptMs: 0, waitedMs: 0}

  it('is the time since the turn before when the poll did not sleep', () => {
    expect(readDelayMs(first)).to.equal(30)
    expect(readDelayMs({...first, waitedMs: 4})).to.equal(30)
  })

  it('is what the kernel let the process wait when the poll slept', () => {
    expect(readDelayMs({...first, sleptMs: 20})).to.equal(0)
    expect(readDelayMs({...first, sleptMs: 20, waitedMs: 7})).to.equal(7)
  })

  it('takes waiting for a processor for no sleep', () => {
    expect(readDelayMs({...first, sleptMs: 20, waitedMs: 20})).to.equal(30)
  })

  it('grows over the reads of one turn, which share one poll', () => {
    expect(readDelayMs({...first, sleptMs: 20, waitedMs: 7, sinceTurnMs: 5})).to.equal(12)
    expect(readDelayMs({...first, sinceTurnMs: 5})).to.equal(35)
  })
})

describe('accounts of reads', () => {
  it('tell reads of one turn of the event loop from those of the next', async () => {
    const delays = new ReadDelays(3, () => null)
    await sleep(5)
    delays.note(0, performance.now())
    keepBusy(20)
    delays.note(1, performance.now())
    await nextTurn()
    delays.note(2, performance.now())
    delays.settle()
    expect(delays.boundMs(1)).to.be.at.least(20)
    expect(delays.boundMs(2)).to.be.at.least(20)
  })

  it('leave the turn before out when the poll slept, unless the kernel made this process wait until they are taken', async () => {
    let waitedMs = 0
    const delays = new ReadDelays(2, () => ({totalMs: () => waitedMs, close: () => undefined}))
    delays.note(0, performance.now())
    await sleep(30)
    delays.note(0, performance.now())
    delays.settle()
    expect(delays.boundMs(0)).to.equal(0)
    await sleep(30)
    delays.note(0, performance.now())
    await sleep(30)
    delays.note(1, performance.now())
    waitedMs = 7
    delays.settle()
    expect([delays.boundMs(0), delays.boundMs(1)]).to.deep.equal([7, 7])
    await sleep(30)
    delays.note(0, performance.now())
    delays.settle()
    expect(delays.boundMs(0)).to.equal(0)
  })
})

describe('the time that this thread waited for a processor', () => {
  it('is told by the kernel and never falls', function () {
    const delay = openRunDelay()
    if (delay === null) this.skip()
    const before = delay.totalMs()
    keepBusy(5)
    expect(delay.totalMs()).to.be.at.least(before)
    delay.close()
  })
})
