import {expect} from 'chai'
import {createReadDelayMeter} from '../../../src/lib/bench/read-delay.js'
import {openRunDelay} from '../../../src/lib/processes/index.js'

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

function keepBusy(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs) continue
}

describe('the bound of how late a read is', () => {
  it('grows over the reads of one turn, which share one poll', async () => {
    const readDelayMs = createReadDelayMeter(null)
    await sleep(5)
    readDelayMs(performance.now())
    keepBusy(20)
    expect(readDelayMs(performance.now())).to.be.at.least(20)
  })

  it('covers the turn before when its poll had no time to sleep', async () => {
    const readDelayMs = createReadDelayMeter(null)
    await sleep(5)
    readDelayMs(performance.now())
    keepBusy(20)
    await nextTurn()
    expect(readDelayMs(performance.now())).to.be.at.least(20)
  })

  it('leaves the turn before out when the poll slept, unless the kernel made this process wait', async () => {
    let waitedMs = 0
    const readDelayMs = createReadDelayMeter({totalMs: () => waitedMs, close: () => undefined})
    readDelayMs(performance.now())
    await sleep(30)
    expect(readDelayMs(performance.now())).to.equal(0)
    await sleep(30)
    waitedMs = 7
    expect(readDelayMs(performance.now())).to.equal(7)
    await sleep(30)
    expect(readDelayMs(performance.now())).to.equal(0)
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
