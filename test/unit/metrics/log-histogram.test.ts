import {expect} from 'chai'
import {seededRandom} from '../../../src/lib/foundation/index.js'
import {LogHistogram} from '../../../src/lib/metrics/log-histogram.js'

describe('LogHistogram', () => {
  it('reads quantiles within 0.5 % of the sample of that rank', () => {
    const random = seededRandom(3)
    const samples = Array.from({length: 5000}, () => Math.exp(random.normal(2, 1.5)))
    const histogram = new LogHistogram()
    for (const sample of samples) histogram.add(sample)
    const sorted = samples.toSorted((a, b) => a - b)
    for (const fraction of [0, 0.01, 0.5, 0.95, 0.99, 1]) {
      const exact = sorted[Math.round(fraction * 4999)]!
      expect(Math.abs(histogram.quantile(fraction)! / exact - 1)).to.be.at.most(0.00501)
    }
  })

  it('knows nothing when it is empty and keeps what is out of range at its ends', () => {
    const histogram = new LogHistogram()
    expect(histogram.quantile(0.5)).to.equal(null)
    histogram.add(0)
    expect(histogram.quantile(0.5)).to.equal(0)
    histogram.add(1e12)
    expect(histogram.quantile(1)).to.be.greaterThan(1e6)
    expect(histogram.count).to.equal(2)
  })
})
