import {expect} from 'chai'
import {bucketedPercentile, histogramBetween} from '../../../src/lib/metrics/index.js'

const bounds = [0.1, 0.2, 0.4, Infinity]

describe('a histogram of which only the buckets are known', () => {
  it('is what was counted between two readings', () => {
    const before = {bounds, counts: [1, 2, 3, 3], sum: 0.7}
    const after = {bounds, counts: [2, 6, 10, 11], sum: 3.7}
    expect(histogramBetween(before, after)).to.deep.equal({bounds, counts: [1, 4, 7, 8], sum: 3})
  })

  it('is unknown when the server started anew, told other bounds, or answered nothing in between', () => {
    const one = {bounds, counts: [1, 2, 3, 3], sum: 1}
    expect(histogramBetween(one, {bounds, counts: [0, 1, 4, 4], sum: 1})).to.equal(null)
    expect(histogramBetween(one, {bounds: [0.1, Infinity], counts: [4, 4], sum: 1})).to.equal(null)
    expect(histogramBetween(one, one)).to.equal(null)
  })

  it('has percentiles by interpolation within a bucket, whose width is how far they may be off', () => {
    const histogram = {bounds, counts: [2, 6, 10, 10], sum: 2}
    // rank 5 of 10: the third of the four between 0.1 and 0.2
    expect(bucketedPercentile(histogram, 0.5).value).to.be.closeTo(0.1 + 0.1 * (3 / 4), 1e-12)
    expect(bucketedPercentile(histogram, 0.5).width).to.be.closeTo(0.1, 1e-12)
    expect(bucketedPercentile(histogram, 0.1).value).to.be.closeTo(0.1 * (1 / 2), 1e-12)
  })

  it('knows only a lower bound of what lies beyond its last bucket', () => {
    const histogram = {bounds, counts: [0, 0, 1, 2], sum: 2}
    expect(bucketedPercentile(histogram, 0.99)).to.deep.equal({value: 0.4, width: Infinity})
  })
})
