import {expect} from 'chai'
import {clientLimits, workersNeeded, type InstrumentFigures} from '../../../src/lib/metrics/index.js'

const GOOD: InstrumentFigures = {
  latenessP99Ms: 0.5,
  ttftErrorP99Ms: 2,
  gapErrorP99Ms: 1,
  ttftP50Ms: 100,
  iclP50Ms: 20,
}

describe('how many load processes would do', () => {
  it('is as many as there are while every limit is kept', () => {
    expect(clientLimits(GOOD)).to.deep.equal([])
    expect(workersNeeded(GOOD, {workers: 2, cpuShareMax: 0.4})).to.equal(2)
  })

  it('grows with the worst error over its limit: 9 ms of a TTFT where 5 % of 100 ms are 5', () => {
    expect(workersNeeded({...GOOD, ttftErrorP99Ms: 9}, {workers: 2, cpuShareMax: 0.4})).to.equal(4)
    // 10 % of 20 ms are 2: twelve times too much.
    expect(workersNeeded({...GOOD, gapErrorP99Ms: 24}, {workers: 1, cpuShareMax: 0.4})).to.equal(12)
  })

  it('leaves a process room: 100 % of a core are too much for one', () => {
    expect(workersNeeded(GOOD, {workers: 1, cpuShareMax: 1})).to.equal(2)
  })
})
