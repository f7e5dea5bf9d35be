import {expect} from 'chai'
import fc from 'fast-check'
import {byteTicks, logTicks, niceStep, niceTicks, timeTicks} from '../../../src/lib/report/axis.js'

const MIB = 1024 ** 2

describe('the axes', () => {
  it('count in steps of 1, 2 or 5 times a power of ten', () => {
    expect([0.3, 1, 1.1, 3, 7, 42].map(niceStep)).to.deep.equal([0.5, 1, 2, 5, 10, 50])
    expect(niceTicks(0, 219, 4)).to.deep.equal([0, 100, 200, 300])
    expect(niceTicks(0, 0.9, 4)).to.deep.equal([0, 0.5, 1])
  })

  it('count things in whole numbers', () => {
    expect(niceTicks(0, 2, 4, 1)).to.deep.equal([0, 1, 2])
  })

  it('always reach from the lowest to the highest value', () => {
    const positive = fc.double({min: 1e-6, max: 1e12, noNaN: true})
    fc.assert(
      fc.property(positive, high => {
        const ticks = niceTicks(0, high, 4)
        expect(ticks[0]).to.equal(0)
        expect(ticks.at(-1)).to.be.at.least(high * (1 - 1e-9))
        expect(ticks.length).to.be.within(2, 7)
      }),
    )
  })

  it('mark a logarithmic axis by 1-2-5 while they fit, else by powers of ten', () => {
    expect(logTicks(8, 120, 8)).to.deep.equal([10, 20, 50, 100])
    expect(logTicks(1, 10_000, 6)).to.deep.equal([1, 10, 100, 1000, 10_000])
  })

  it('mark a logarithmic axis at two places at least, however narrow', () => {
    const ticks = logTicks(31, 38, 8)
    expect(ticks.length).to.be.at.least(2)
    expect(Math.max(...ticks)).to.be.at.least(35)
  })

  it('mark bytes at powers of two, so that a limit falls on the grid', () => {
    expect(byteTicks(96 * MIB, 4).map(bytes => bytes / MIB)).to.deep.equal([0, 32, 64, 96])
  })

  it('mark time in steps people count in', () => {
    expect(timeTicks(12.5, 8)).to.deep.equal([0, 2, 4, 6, 8, 10, 12])
    expect(timeTicks(125, 6)).to.deep.equal([0, 30, 60, 90, 120])
  })
})
