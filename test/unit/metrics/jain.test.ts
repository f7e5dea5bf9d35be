import {expect} from 'chai'
import {batchMeansInterval, jainIndex} from '../../../src/lib/metrics/index.js'

describe("Jain's index", () => {
  it('is 1 when all have the same, 1/n when one has everything', () => {
    expect(jainIndex([5, 5, 5])).to.equal(1)
    expect(jainIndex([0, 0, 0, 8])).to.equal(1 / 4)
    expect(jainIndex([1, 3])).to.equal(16 / (2 * 10))
    expect(jainIndex([0, 0])).to.equal(null)
    expect(jainIndex([])).to.equal(null)
  })
})

describe('the interval of a mean by batches', () => {
  const alternating = (count: number): number[] =>
    Array.from({length: count}, (_, at) => (at % 2 === 0 ? 9 : 11))

  it('is mean ± t · s / √b', () => {
    // 10 batches, half 9 and half 11: s = √(10 · 1 / 9), t(0.975, 9) = 2.262157
    const reach = (2.262157 * Math.sqrt(10 / 9)) / Math.sqrt(10)
    const [low, high] = batchMeansInterval(alternating, 10)!
    expect(low).to.be.closeTo(10 - reach, 1e-5)
    expect(high).to.be.closeTo(10 + reach, 1e-5)
  })

  it('takes longer batches where neighbours resemble each other, and none where ten are too many', () => {
    const rising = (count: number): number[] => Array.from({length: count}, (_, at) => at)
    const asked: number[] = []
    const batches = (count: number): number[] => {
      asked.push(count)
      return count > 10 ? rising(count) : alternating(count)
    }
    expect(batchMeansInterval(batches, 40)).not.to.equal(null)
    expect(asked).to.deep.equal([40, 20, 10])
    expect(batchMeansInterval(rising, 40)).to.equal(null)
    expect(batchMeansInterval(alternating, 9)).to.equal(null)
    expect(batchMeansInterval(() => null, 40)).to.equal(null)
  })
})
